import { chance } from '../chance.ts'
import type { Outcome } from './events.ts'
import type { RunRow } from './rows.ts'
import { type TaskState, lastAttempt } from './state.ts'

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

/**
 * What the run of an attempt is called, so that a person sees where it belongs; no two attempts of a task share one.
 *
 * @example childRunName('nightly-x7k2p', 'tables[0]', 1) // 'nightly-x7k2p-tables-0'
 */
export function childRunName(run: string, task: string, attempt: number): string {
  const name = `${run}-${task.replace(/[^a-z0-9-]+/g, '-').replace(/-+$/, '')}`
  return attempt === 1 ? name : `${name}-attempt-${attempt}`
}

/** The run that the last attempt of a `dag` task started, as its handle says; null when there is none. */
export function childRunOf(task: TaskState): string | null {
  const handle = lastAttempt(task)?.handle ?? null
  if (typeof handle !== 'object' || handle === null || !('run' in handle)) return null
  return typeof handle.run === 'string' ? handle.run : null
}

/** The key that makes the child's creation happen once. */
export function childTriggerKey(run: string, task: string, attempt: number): string {
  return `${run}/${task}/${attempt}`
}

/** How the attempt of a `dag` task ended, from how its run did. */
export function childOutcome(child: Pick<RunRow, 'phase' | 'name' | 'message'>): Outcome {
  const base = { exitCode: null, signal: null, outputs: {} }
  if (child.phase === 'succeeded') return { ...base, kind: 'succeeded', reason: 'SUCCEEDED', message: null }
  if (child.phase === 'cancelled') {
    return {
      ...base,
      kind: 'exitCode',
      reason: 'CHILD_RUN_FAILED',
      message: `run ${child.name} was cancelled`,
    }
  }
  return {
    ...base,
    kind: 'exitCode',
    reason: 'CHILD_RUN_FAILED',
    message: `run ${child.name}: ${child.message}`,
  }
}
