import type { RunPhase } from '../core/run/rows.ts'
import type { RunState } from '../core/run/state.ts'
import { CommandError } from './exit.ts'

/** What commands that change a run say of it, here as of a server. */

export const endText = ({
  name,
  phase,
}: {
  readonly name: string
  readonly phase: RunPhase | undefined
}): string => `run ${name} ${phase === 'cancelled' ? 'is cancelled' : `has ${phase}`}\n`

export const pausedText = (name: string): string =>
  `run ${name} is paused; go on with: kontroler resume ${name}\n`

export const endedText = (name: string, phase: RunPhase): string =>
  `run ${name} has ended already: ${phase}\n`

export const goesOnText = (name: string): string =>
  `run ${name} goes on; see it with: kontroler watch ${name}\n`

export const answeredText = (name: string, task: string, approved: boolean): string =>
  `${task} of run ${name} is ${approved ? 'approved' : 'rejected'}\n`

export const undrivenText = (name: string): string =>
  `no engine drives the run; go on with: kontroler resume ${name}\n`

/**
 * The only task of a run that waits for approval.
 * @throws {CommandError} None or several do.
 */
export function onlyWaiting(state: RunState | null, name: string): string {
  const waiting = (state?.tasks ?? []).filter(({ reason }) => reason === 'WAITING_FOR_APPROVAL')
  const [only, second] = waiting
  if (only !== undefined && second === undefined) return only.key
  if (only === undefined) {
    throw new CommandError(
      'NOT_WAITING',
      `nothing of run ${name} waits for approval`,
      `kontroler get ${name}`,
      1,
    )
  }
  const names = waiting.map(({ key }) => key).join(', ')
  throw new CommandError('SEVERAL_WAIT', `several tasks wait for approval: ${names}`, 'name one of them')
}
