import type { Config, Variables } from '../config.ts'
import type { Check } from '../controller/checks.ts'
import type { Log } from '../controller/json-log.ts'
import type { Metrics } from '../controller/metrics.ts'
import { systemClock } from '../host/clock.ts'
import { ApiProblem } from '../kubernetes/problem.ts'
import type { Notices } from '../ports/notices.ts'
import { patiently } from './patiently.ts'

/** Milliseconds that never jump, as metrics, health and views count them. */
export const steady = (): number => performance.now()

/** What a controller is started with, and what it gathers while it starts. */
export interface Start {
  readonly config: Config
  readonly log: Log
  /** For credential plugins of a kubeconfig. */
  readonly env: Variables
  readonly metrics: Metrics
  readonly closing: AbortSignal
  /** What is open; closed the other way round. */
  readonly closings: (() => Promise<void>)[]
  readonly live: Check[]
  readonly ready: Check[]
}

/** Does one step of a start until it works. */
export function stepOf(
  { log, closing }: Start,
  what: string,
): <T>(mayPass: (error: unknown) => boolean, open: () => Promise<T>) => Promise<T> {
  return (mayPass, open) =>
    patiently(open, {
      clock: systemClock,
      chance: Math.random,
      closing,
      mayPass,
      failed: (error, againInMs) =>
        log.warn(`the start waits for the ${what}: ${wordsOf(error)}`, { code: codeOf(error), againInMs }),
    })
}

/** What the engine and its surroundings tell, as lines of the log. */
export function loggedNotices(log: Log): Notices {
  return {
    trouble: (code, message, run) => log.warn(message, { code, run: run ?? undefined }),
    progress: (message, run) => log.info(message, { run: run ?? undefined }),
  }
}

export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export function codeOf(error: unknown): string | undefined {
  if (error instanceof ApiProblem) return error.kind
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
