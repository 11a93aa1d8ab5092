import type { ExecutionOptions } from '../execution.ts'
import { CommandError } from '../exit.ts'

/**
 * Nothing that was asked is passed over in silence.
 *
 * @throws {CommandError} An option is about tasks that this machine runs, and a server runs them.
 */
export function refuseHere(options: Omit<ExecutionOptions, 'output'>): void {
  const { secret, maxParallel, pool, grace, executor } = options
  const given = { secret, 'max-parallel': maxParallel, pool, grace, executor }
  const [name] = Object.entries(given).find(([, value]) => value !== undefined) ?? []
  if (name === undefined) return
  throw new CommandError(
    'NOT_FOR_SERVERS',
    `--${name} is about tasks of this machine, and the server runs them`,
    `leave out --${name}; the server has settings of its own`,
  )
}
