/** Every bound of the engine, with its unit, in one place. */
export const LIMITS = {
  /** Characters in the name of a task, a DAG or a pool: a container name and a label value hold no more. */
  nameLengthMax: 63,
  /** Tasks of one run, items of fan-outs included. */
  tasksPerRunMax: 100_000,
  /** Items of one fan-out. */
  fanOutItemsMax: 50_000,
  /** Task keys named in one event; longer lists become several events. */
  tasksPerEventMax: 1_000,
  /** Retries that infrastructure outcomes may use up, apart from the task's own. */
  infrastructureRetriesMax: 5,
  /** First wait before such a retry; each further one is twice as long. */
  infrastructureDelayMs: 1_000,
  /** Longest wait before such a retry. */
  infrastructureDelayMaxMs: 60_000,
  /** Time between TERM and KILL when an attempt is stopped. */
  stopGraceMs: 10_000,
  /** Time that tasks under `finally` have when the run is out of time or cancelled and they set none. */
  finallyTimeoutMs: 300_000,
  /** Bytes of all outputs of one task together; the same on every executor. */
  outputBytesMax: 4_095,
  /** Runs nested in runs by `dag` tasks. */
  nestingMax: 10,
  /** Characters of a message kept in rows and events. */
  messageLengthMax: 2_000,
  /** An engine on another machine that was not heard of for this long counts as dead; it says so every 5 seconds. */
  engineSilenceMaxMs: 20_000,
  /** A pool that nobody gave a size has this many slots: it is a lock. */
  poolSizeDefault: 1,
} as const
