import { turnCheck } from '../controller/checks.ts'
import { compileExpression, compileTemplate, hasTemplate } from '../core/expression/cel.ts'
import { Engine } from '../engine/engine.ts'
import { erasInUse } from '../engine/eras.ts'
import { openPodExecutor, type PodExecutor } from '../executors/pod/executor.ts'
import { systemClock, systemIdentity } from '../host/clock.ts'
import type { Client } from '../kubernetes/client.ts'
import type { AttemptRef, Observation } from '../ports/executor.ts'
import type { EngineProbe, Notices } from '../ports/notices.ts'
import type { EngineRow, Store } from '../ports/store.ts'
import { clusterMayPass } from './cluster-client.ts'
import { databaseMayPass } from './database.ts'
import { type Logs, openLogs } from './logs.ts'
import { loggedNotices, type Start, stepOf } from './parts.ts'

export interface PodEngineParts {
  readonly client: Client
  /** Null for all. */
  readonly namespaces: readonly string[] | null
  readonly store: Store
  readonly me: EngineRow
  readonly probe: EngineProbe
}

export interface PodEngine {
  readonly engine: Engine
  readonly executor: PodExecutor
  readonly logs: Logs
  /** Told what the engine tells from now on. */
  listen(notices: Notices): void
  /** Something beside the engine is troubled: told as its own troubles are. */
  readonly trouble: (code: string, message: string) => void
}

/** How often the database is asked what others wrote; PostgreSQL says so sooner. */
const POLL_MS = 1_000

/** An engine whose tasks are pods. */
export async function openPodEngine(start: Start, parts: PodEngineParts): Promise<PodEngine> {
  const { config, closings, metrics } = start
  const { client, namespaces, store, me, probe } = parts
  const heard: Notices[] = [metrics.notices, loggedNotices(start.log)]
  const notices: Notices = {
    events: (state, events) => heard.forEach(one => one.events?.(state, events)),
    progress: (message, run) => heard.forEach(one => one.progress?.(message, run)),
    trouble: (code, message, run) => heard.forEach(one => one.trouble?.(code, message, run)),
    turned: ms => heard.forEach(one => one.turned?.(ms)),
  }
  const trouble = (code: string, message: string, run: string | null = null): void =>
    notices.trouble?.(code, message, run)

  const logs = await openLogs({
    logs: config.logs,
    stateDir: config.stateDir,
    installation: config.installation,
    client,
    clock: systemClock,
    random: Math.random,
    trouble,
  })
  closings.push(() => logs.close())

  // The executor needs somebody to tell, and the engine needs the executor.
  const observers: ((observation: Observation) => void)[] = []
  const engines: Engine[] = []
  const executor = await stepOf(start, 'cluster')(clusterMayPass, () =>
    openPodExecutor({
      client,
      installation: config.installation,
      namespaces,
      observe: observation => observers.forEach(observe => observe(observation)),
      clock: systemClock,
      logs: logs.pods,
      erasInUse: async () => {
        const [engine] = engines
        return engine === undefined ? null : await erasInUse(engine)
      },
      standing: async ref => await standingOf(store, ref),
      fences: { attemptsMax: config.fenceSize },
      stopGraceMs: config.stopGraceMs,
      trouble,
      closing: start.closing,
    }),
  )
  const engine = new Engine({
    store,
    executor,
    clock: systemClock,
    identity: systemIdentity,
    values: { secret: neverRead, configMap: neverRead },
    language: { compileExpression, compileTemplate, hasTemplate },
    probe,
    notices,
    me,
    settings: {
      maxParallel: config.maxParallel,
      pools: config.pools,
      stopGraceMs: config.stopGraceMs,
      pollMs: POLL_MS,
    },
  })
  engines.push(engine)
  observers.push(observation => engine.observe(observation))
  closings.push(() => engine.close())
  // The cluster may have been waited for since the database was opened.
  await stepOf(start, 'database')(databaseMayPass, () => engine.open())
  start.live.push(
    turnCheck(
      () => engine.turningSince,
      () => systemClock.now(),
    ),
  )
  metrics.from({ runs: () => engine.driving(), backlogs: () => [logs.backlog()] })
  return { engine, executor, logs, listen: one => heard.push(one), trouble }
}

/** Pods refer to Secrets and ConfigMaps; the controller may not even read them. */
const neverRead = (): Promise<never> =>
  Promise.reject(new Error('the controller does not read Secrets and ConfigMaps'))

async function standingOf(store: Store, ref: AttemptRef): Promise<'live' | 'ended' | 'unknown'> {
  const row = (await store.attempts(ref.run, ref.task)).find(({ attempt }) => attempt === ref.attempt)
  if (row === undefined) return 'unknown'
  return row.phase === 'ended' ? 'ended' : 'live'
}
