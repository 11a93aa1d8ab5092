import type { Clock } from '../ports/clock.ts'

/** The same trouble of thousands of logs is told once in this time. */
const QUIET_MS = 60_000

/** Tells of trouble, but not of all that is of one kind: how many more there were is told with the next one. */
export function sparingly(
  trouble: (code: string, message: string, run?: string | null) => void,
  clock: Pick<Clock, 'now'>,
): (code: string, message: string, run?: string | null) => void {
  const told = new Map<string, { at: number; untold: number }>()
  return (code, message, run = null) => {
    const last = told.get(code)
    if (last !== undefined && clock.now() - last.at < QUIET_MS) {
      last.untold += 1
      return
    }
    const more = last === undefined || last.untold === 0 ? '' : ` (and ${last.untold} more before)`
    told.set(code, { at: clock.now(), untold: 0 })
    trouble(code, `${message}${more}`, run)
  }
}
