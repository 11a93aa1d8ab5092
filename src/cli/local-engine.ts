import { hostname } from 'node:os'
import { compileExpression, compileTemplate, hasTemplate } from '../core/expression/cel.ts'
import { Engine } from '../engine/engine.ts'
import type { EngineSettings } from '../engine/parts.ts'
import { systemClock, systemIdentity } from '../host/clock.ts'
import { engineProbe, thisEngine } from '../host/this-engine.ts'
import type { Observation } from '../ports/executor.ts'
import type { Notices } from '../ports/notices.ts'
import type { ValueSource } from '../ports/secrets.ts'
import type { Store } from '../ports/store.ts'
import type { ExecutorChoice } from './executor.ts'
import type { Local } from './local.ts'

/** An engine on the laptop: SQLite, containers or processes, the real clock. */
export async function openEngine(
  local: Local,
  values: ValueSource,
  notices: Notices,
  settings: EngineSettings,
  choice: ExecutorChoice,
): Promise<Engine> {
  // The executor needs somebody to tell, and the engine needs the executor.
  const observers: ((observation: Observation) => void)[] = []
  const me = thisEngine()
  const executor = await choice.open({
    stateDir: local.stateDir,
    observe: observation => observers.forEach(observe => observe(observation)),
    notices,
    probe: engineProbe,
    me,
  })
  const engine = new Engine({
    store: local.store,
    executor,
    clock: systemClock,
    identity: systemIdentity,
    values,
    language: { compileExpression, compileTemplate, hasTemplate },
    probe: engineProbe,
    notices,
    me,
    settings,
  })
  observers.push(observation => engine.observe(observation))
  await engine.open()
  await forgetDeadEngines(local.store)
  return engine
}

/**
 * Those that were killed could not sign off. A run whose owner is unknown counts as left, as one whose owner is dead.
 * Engines of other machines are left to these: only there are the processes of their attempts known.
 */
async function forgetDeadEngines(store: Store): Promise<void> {
  const dead = (await store.engines()).filter(
    engine => engine.host === hostname() && !engineProbe.isAlive(engine),
  )
  await Promise.all(dead.map(({ id }) => store.removeEngine(id)))
}
