/** Most tasks in a run, items of fan-outs included. The engine has the same bounds. */
export const TASKS_MAX = 100_000
/** Most items of one fan-out. */
export const FAN_OUT_ITEMS_MAX = 50_000
/** Longest name of a task, a DAG or a pool: a container name and a label value hold no more. */
export const NAME_LENGTH_MAX = 63
