import { availableParallelism } from 'node:os'
import { parseDuration } from '../core/dag/duration.ts'
import type { EngineSettings } from '../engine/parts.ts'
import { EXECUTOR_KINDS, type ExecutorKind } from './executor.ts'
import { CommandError } from './exit.ts'
import type { FollowFormat } from './follow.ts'
import type { Environment } from './settings.ts'
import { assignments } from './values.ts'

/** Options of every command that executes tasks, as commander gives them. */
export interface ExecutionOptions {
  readonly secret?: readonly string[]
  readonly maxParallel?: string
  readonly pool?: readonly string[]
  /** Default 10 s. */
  readonly grace?: string
  readonly executor?: string
  readonly output?: FollowFormat
}

const POLL_MS = 100

export function executionOptions(
  options: ExecutionOptions,
  environment: Environment,
): { readonly settings: EngineSettings; readonly format: FollowFormat; readonly kind: ExecutorKind } {
  const { grace = '10s' } = options
  const stopGraceMs = parseDuration(grace)
  if (stopGraceMs === null) {
    throw new CommandError('BAD_OPTION', `--grace ${grace} is no duration`, 'write it as 500ms, 10s or 1m30s')
  }
  const pools = new Map(
    [...assignments('--pool', options.pool ?? [])].map(([name, size]) => [name, count('--pool', size)]),
  )
  const maxParallel =
    options.maxParallel === undefined ? defaultParallel() : count('--max-parallel', options.maxParallel)
  return {
    settings: { maxParallel, pools, stopGraceMs, pollMs: POLL_MS },
    format: options.output ?? (environment.live ? 'tree' : 'lines'),
    kind: executorKind(options.executor ?? environment.executor ?? 'auto'),
  }
}

/** Attempts at once when nobody said: tasks mostly wait, but a laptop must stay usable. */
function defaultParallel(): number {
  return Math.max(4, availableParallelism() * 2)
}

function executorKind(text: string): ExecutorKind {
  const found = EXECUTOR_KINDS.find(kind => kind === text)
  if (found !== undefined) return found
  throw new CommandError(
    'BAD_OPTION',
    `there is no executor ${text}`,
    `use one of: ${EXECUTOR_KINDS.join(', ')}`,
  )
}

function count(option: string, text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new CommandError(
    'BAD_OPTION',
    `${option} ${text} is not a number of slots`,
    'give a whole number from 1 on',
  )
}
