import { chance } from '../chance.ts'
import type { Outcome } from './events.ts'
import type { RunRow } from './rows.ts'

/**
 * The id of the run that an attempt of a `dag` task starts: derived, so that starting it twice is starting it once.
 * It has the form of a UUID and sorts with its parent.
 */
export function childRunId(run: string, task: string, attempt: number): string {
  const seed = `${run}/${task}/${attempt}`
  const part = (salt: string, size: number): string =>
    Math.floor(chance(`${salt}${seed}`) * 0x1_0000_0000)
      .toString(16)
      .padStart(8, '0')
      .slice(0, size)
  const time = /^[0-9a-f]{8}-[0-9a-f]{4}/.test(run) ? run.slice(0, 13) : `${part('t', 8)}-${part('u', 4)}`
  return `${time}-8${part('a', 3)}-8${part('b', 3)}-${part('c', 8)}${part('d', 4)}`
}

/** @example childRunName('nightly-x7k2p', 'tables[0]') → 'nightly-x7k2p-tables-0' */
export function childRunName(run: string, task: string): string {
  return `${run}-${task.replace(/[^a-z0-9-]+/g, '-').replace(/-+$/, '')}`
}

/** The key that makes the child's creation happen once. */
export function childTriggerKey(run: string, task: string, attempt: number): string {
  return `${run}/${task}/${attempt}`
}

/** How the attempt of a `dag` task ended, from how its run did. */
export function childOutcome(child: Pick<RunRow, 'phase' | 'id' | 'message'>): Outcome {
  const base = { exitCode: null, signal: null, outputs: {} }
  if (child.phase === 'succeeded') return { ...base, kind: 'succeeded', reason: 'SUCCEEDED', message: null }
  if (child.phase === 'cancelled') {
    return { ...base, kind: 'exitCode', reason: 'CHILD_RUN_FAILED', message: `run ${child.id} was cancelled` }
  }
  return {
    ...base,
    kind: 'exitCode',
    reason: 'CHILD_RUN_FAILED',
    message: `run ${child.id}: ${child.message}`,
  }
}
