/** Bounds of what is read. They keep a hostile or broken file from costing more than a moment. */
export const TEXT_BYTES_MAX = 1_048_576
/** Maps and lists inside each other. */
export const DEPTH_MAX = 64
/** Values in one text, keys not counted. */
export const NODES_MAX = 100_000
/** Problems reported for one call; more than this helps nobody. */
export const PROBLEMS_MAX = 1000
/** Files taken from directories in one call. */
export const FILES_MAX = 10_000
