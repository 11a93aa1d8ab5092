import { createHash } from 'node:crypto'

/**
 * A number for a run, for programs that know runs by numbers: made from its id, the same each time, below 2^53.
 * Ids of one millisecond differ in ten bits; ids that hold no time are hashed.
 */
export function numberOfRun(run: string, createdAt: number): number {
  const digest = createHash('sha256').update(run).digest()
  return createdAt * 1024 + (digest.readUInt16BE(0) & 0x03ff)
}

/** A number for a task of a run, made from its key in the same way, below 2^48. */
export function numberOfTask(run: string, task: string): number {
  return createHash('sha256').update(`${run}/${task}`).digest().readUIntBE(0, 6)
}
