import type { ExpressionLanguage } from '../core/run/inputs.ts'
import type { Clock, Identity } from '../ports/clock.ts'
import type { Executor } from '../ports/executor.ts'
import type { EngineProbe, Notices } from '../ports/notices.ts'
import type { ValueSource } from '../ports/secrets.ts'
import type { EngineRow, Store } from '../ports/store.ts'

/** Everything an engine is made of; whoever constructs it decides what is real. */
export interface EngineParts {
  readonly store: Store
  readonly executor: Executor
  readonly clock: Clock
  readonly identity: Identity
  readonly values: ValueSource
  readonly language: ExpressionLanguage
  readonly probe: EngineProbe
  readonly notices: Notices
  readonly me: EngineRow
  readonly settings: EngineSettings
}

export interface EngineSettings {
  /** Most attempts that this engine keeps live at once. */
  readonly maxParallel: number
  /** Slots of each pool; a pool that is not named has {@link LIMITS.poolSizeDefault}. */
  readonly pools: ReadonlyMap<string, number>
  readonly stopGraceMs: number
  /** How often it looks for what other processes wrote. */
  readonly pollMs: number
}
