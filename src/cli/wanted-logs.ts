import { CommandError } from './exit.ts'
import { wholeNumber } from './values.ts'

/** What `logs` is asked, of this machine as of a cluster. */
export interface LogsOptions {
  readonly follow?: boolean
  readonly task?: string
  readonly attempt?: string
  readonly failed?: boolean
  readonly tail?: string
  readonly sinceStart?: boolean
}

/** Which logs are meant. */
export interface WantedLogs {
  /** Task key, or the name of a fan-out for all of its items. */
  readonly task: string | null
  readonly attempt: number | null
  readonly failed: boolean
  readonly sinceStart: boolean
  readonly tail: number | null
}

/**
 * @param task  The one that was named without an option.
 * @throws {CommandError} Two tasks are named, or a number is none.
 */
export function wantedLogs(task: string | undefined, options: LogsOptions): WantedLogs {
  const { attempt, tail } = options
  if (task !== undefined && options.task !== undefined && task !== options.task)
    throw new CommandError('BAD_OPTION', `two tasks are named: ${task} and ${options.task}`, 'name one')
  return {
    task: options.task ?? task ?? null,
    attempt: attempt === undefined ? null : wholeNumber('--attempt', attempt),
    failed: options.failed === true,
    sinceStart: options.sinceStart === true,
    tail: tail === undefined ? null : tail === '0' ? 0 : wholeNumber('--tail', tail),
  }
}
