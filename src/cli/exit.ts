import type { ProblemCode } from '../core/problem-codes.ts'
import type { RunPhase } from '../core/run/rows.ts'
import type { ReasonCode } from '../core/run/reasons.ts'
import type { StoreErrorCode } from '../ports/store.ts'
import type { ApiCode } from '../server/problem-codes.ts'
import type { CommandCode } from './command-codes.ts'

/**
 * Exit codes of every command; scripts rely on them. `interrupted` is Ctrl-C on a command that only looks: it says
 * nothing about the run.
 */
export const EXIT = {
  succeeded: 0,
  failed: 1,
  usage: 2,
  cancelled: 3,
  timedOut: 4,
  interrupted: 130,
} as const

export function exitCodeOf(run: { readonly phase: RunPhase; readonly reason: ReasonCode | null }): number {
  if (run.phase === 'succeeded') return EXIT.succeeded
  if (run.phase === 'cancelled') return EXIT.cancelled
  return run.reason === 'RUN_TIMED_OUT' ? EXIT.timedOut : EXIT.failed
}

/** A command that cannot go on: what is wrong and what to do, for a person. */
export class CommandError extends Error {
  readonly code: CommandCode | StoreErrorCode | ProblemCode | ApiCode
  readonly fix: string
  readonly exitCode: number
  constructor(code: CommandError['code'], message: string, fix: string, exitCode: number = EXIT.usage) {
    super(message)
    this.name = 'CommandError'
    this.code = code
    this.fix = fix
    this.exitCode = exitCode
  }
}
