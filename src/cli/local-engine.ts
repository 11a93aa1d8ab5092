import { hostname } from 'node:os'
import { compileExpression, compileTemplate, hasTemplate } from '../core/expression/cel.ts'
import { Engine } from '../engine/engine.ts'
import type { EngineSettings } from '../engine/parts.ts'
import { createProcessExecutor } from '../executors/process/executor.ts'
import { bootId, processStart } from '../executors/process/processes.ts'
import type { Observation } from '../ports/executor.ts'
import type { Notices } from '../ports/notices.ts'
import type { ValueSource } from '../ports/secrets.ts'
import { systemClock, systemIdentity } from './clock.ts'
import { type Local, localProbe } from './local.ts'

/** An engine on the laptop: SQLite, processes, the real clock. */
export async function openEngine(
  local: Local,
  values: ValueSource,
  notices: Notices,
  settings: EngineSettings,
): Promise<Engine> {
  // The executor needs somebody to tell, and the engine needs the executor.
  const observers: ((observation: Observation) => void)[] = []
  const executor = createProcessExecutor({
    stateDir: local.stateDir,
    observe: observation => observers.forEach(observe => observe(observation)),
  })
  const engine = new Engine({
    store: local.store,
    executor,
    clock: systemClock,
    identity: systemIdentity,
    values,
    language: { compileExpression, compileTemplate, hasTemplate },
    probe: localProbe,
    notices,
    me: { id: systemIdentity.id(), ...thisProcess(), seenAt: systemClock.now() },
    settings,
  })
  observers.push(observation => engine.observe(observation))
  await engine.open()
  return engine
}

function thisProcess(): { pid: number; processStart: string; bootId: string; host: string } {
  return { pid: process.pid, processStart: processStart(process.pid), bootId: bootId(), host: hostname() }
}
