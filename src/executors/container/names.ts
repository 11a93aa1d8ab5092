import { createHash } from 'node:crypto'
import type { AttemptRef } from '../../ports/executor.ts'

/** Docker allows more, but a name is also the container's host name in some set-ups. */
const NAME_LENGTH_MAX = 63
const TASK_LENGTH_MAX = 28

/**
 * The name of an attempt's container: the same whoever derives it, and nobody else's. The hash is over everything that
 * tells attempts apart; the rest is for people.
 *
 * @example containerName('5f2c…', { run: '0198c7', task: 'build[3]', attempt: 1 })
 *          → 'kontroler-build-3-1-0f343b0931126a20'
 */
export function containerName(state: string, ref: AttemptRef): string {
  const whole = JSON.stringify([state, ref.run, ref.task, ref.attempt])
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, 16)
  const task = ref.task
    .toLowerCase()
    .replace(/[^a-z0-9]+/gu, '-')
    .slice(0, TASK_LENGTH_MAX)
    .replace(/^-|-$/gu, '')
  return `kontroler-${task}-${ref.attempt}-${hash}`.slice(-NAME_LENGTH_MAX)
}

const LABEL = 'io.kontroler.'
const STATE = `${LABEL}state`
const RUN = `${LABEL}run`
const TASK = `${LABEL}task`
const ATTEMPT = `${LABEL}attempt`

/** Who a container is; what is swept is found by these. */
export const attemptLabels = (state: string, ref: AttemptRef): Record<string, string> => ({
  [STATE]: state,
  [RUN]: ref.run,
  [TASK]: ref.task,
  [ATTEMPT]: String(ref.attempt),
})

export const stateLabels = (state: string): Record<string, string> => ({ [STATE]: state })
export const runLabels = (state: string, run: string): Record<string, string> => ({
  [STATE]: state,
  [RUN]: run,
})

/** The attempt that a container says it is; null for a container of somebody else. */
export function refOfLabels(state: string, labels: Readonly<Record<string, string>>): AttemptRef | null {
  const { [STATE]: owner, [RUN]: run, [TASK]: task, [ATTEMPT]: attempt } = labels
  if (owner !== state || run === undefined || task === undefined) return null
  const number = Number(attempt)
  return Number.isSafeInteger(number) && number > 0 ? { run, task, attempt: number } : null
}
