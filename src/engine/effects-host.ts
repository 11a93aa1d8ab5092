import type { Dag } from '../core/dag/dag.ts'
import type { Problem } from '../core/problem.ts'
import type { RunCreated } from '../core/run/events.ts'
import type { RunRequest } from '../core/run/requests.ts'
import type { RunState } from '../core/run/state.ts'
import type { Observation } from '../ports/executor.ts'
import type { EngineParts } from './parts.ts'

/** What effects need of the engine that owns them. */
export interface EffectsHost {
  readonly parts: EngineParts
  now(): number
  observe(observation: Observation): void
  trouble(error: unknown, run: string): void
  submit(dag: Dag, created: RunCreated): Promise<void>
  adopt(run: string, owner: string | null): Promise<boolean>
  request(run: string, request: RunRequest): Promise<Problem | null>
  hurry(run: string, graceMs: number): void
  stateOf(run: string): RunState | null
  /** Read this run from the store again, in a while: something could not be done for it now. */
  later(run: string): void
}
