import { hostname } from 'node:os'
import { databaseCheck, runningCheck, viewsCheck } from '../controller/checks.ts'
import { openHealthServer } from '../controller/health.ts'
import type { Log } from '../controller/json-log.ts'
import { measuredClient, measuredStore } from '../controller/measured.ts'
import { createMetrics } from '../controller/metrics.ts'
import type { Config, Variables } from '../config.ts'
import { Scheduler } from '../engine/scheduler.ts'
import { systemClock } from '../host/clock.ts'
import { thisEngine } from '../host/this-engine.ts'
import { VERSION } from '../host/version.ts'
import type { Client } from '../kubernetes/client.ts'
import { openClient } from '../kubernetes/open-client.ts'
import { kubernetesCluster } from '../operator/kubernetes-cluster.ts'
import { openOperator, scheduledRunName } from '../operator/operator.ts'
import { askFor, clusterMayPass, greet, identityOf, namespacesOf } from './cluster-client.ts'
import { databaseMayPass, openDatabase } from './database.ts'
import { type Start, steady, stepOf, wordsOf } from './parts.ts'
import { openPodEngine } from './pod-engine.ts'
import { secretValues } from './secret-values.ts'
import { watchRefused } from './refused-namespaces.ts'
import { startTakeOver } from './take-over.ts'
import { openWebhooks } from './webhooks.ts'

export interface Controller {
  /** Resolves when all objects are read and every run is driven. Rejects when that can never be. */
  readonly started: Promise<void>
  /** Resolves, with the reason, when it has to be closed and opened anew to do all that it was told. */
  readonly outdated: Promise<string>
  /** Where health and metrics are served. */
  readonly address: { readonly host: string; readonly port: number }
  /** Pods go on, and the next controller takes their runs over. May be called again. */
  close(): Promise<void>
}

/**
 * A controller: it takes in the DAGs and DagRuns of a cluster and runs their tasks as pods. A database or an API server
 * that is away is waited for.
 *
 * @param env  For credential plugins of a kubeconfig.
 * @throws The address cannot be listened on.
 */
export async function openController(config: Config, log: Log, env: Variables): Promise<Controller> {
  const metrics = createMetrics({ version: VERSION, installation: config.installation, now: steady })
  const closing = new AbortController()
  let phase: 'starting' | 'running' | 'stopping' = 'starting'
  const start: Start = {
    config,
    log,
    env,
    metrics,
    closing: closing.signal,
    closings: [],
    live: [],
    ready: [runningCheck(() => phase)],
  }
  const { live, ready } = start
  const health = await openHealthServer({ listen: config.listen, live, ready, metrics, now: steady })
  start.closings.push(() => health.close())

  const { promise: outdated, resolve: outdate } = Promise.withResolvers<string>()
  const started = begin(start, outdate).then(() => {
    if (phase === 'starting') phase = 'running'
  })
  // Whoever does not wait for it closes it, and does not care.
  started.catch(() => undefined)

  async function close(): Promise<void> {
    phase = 'stopping'
    closing.abort()
    await started.catch(() => undefined)
    for (let shut = start.closings.pop(); shut !== undefined; shut = start.closings.pop())
      await shut().catch((error: unknown) => log.warn('a part did not close', { error }))
  }
  let closed: Promise<void> | null = null
  return { started, outdated, address: health.address, close: () => (closed ??= close()) }
}

async function begin(start: Start, outdate: (why: string) => void): Promise<void> {
  const { config, log, env, metrics, closings, closing, ready } = start
  const me = thisEngine()
  const database = await stepOf(start, 'database')(databaseMayPass, () => openDatabase(config.database, me))
  closings.push(() => database.close())
  const store = measuredStore(database.store, database.type, metrics, steady)
  ready.push(databaseCheck(() => store.engines()))

  const identity = await identityOf(config.kube, env)
  const plain = openClient({ identity, userAgent: `kontroler/${VERSION}` })
  closings.push(() => plain.close())
  const client = measuredClient(plain, metrics, steady)
  metrics.from({ limiter: client.limiter, slots: config.maxParallel })
  const namespaces = await lookedAfter(start, client, namespacesOf(config, identity), outdate)

  const pods = await openPodEngine(start, { client, namespaces, store, me, probe: database.probe })
  const { engine, executor, logs } = pods
  const cluster = kubernetesCluster({
    client,
    namespaces,
    instance: hostname(),
    trouble: error => pods.trouble('OBJECTS_NOT_HEARD', wordsOf(error)),
  })
  const views = () => [...executor.views(), ...cluster.views()]
  metrics.from({ views })
  ready.push(viewsCheck(views, steady))

  const webhooks = openWebhooks({ config, store, log, values: secretValues(client, systemClock) })
  closings.push(() => webhooks.close())
  const scheduler = new Scheduler(engine, { workdir: null, nameOf: scheduledRunName })
  closings.push(() => scheduler.close())
  const operator = openOperator({
    cluster,
    engine,
    scheduler,
    store,
    logs: logs.archive,
    clock: systemClock,
    chance: Math.random,
    trouble: pods.trouble,
    settings: { namespaces, retention: config.retention },
  })
  pods.listen(operator.notices)
  closings.push(() => operator.close())
  await Promise.race([operator.synced, aborted(closing)])
  if (closing.aborted) return

  const takeOver = await startTakeOver(engine, pods.trouble)
  closings.push(() => takeOver.close())
  log.info('the controller runs', {
    version: VERSION,
    installation: config.installation,
    namespaces: namespaces ?? 'all',
    database: database.type,
    dagRuns: operator.dagRuns(),
    runs: engine.driving().length,
  })
}

/** Those of the wanted namespaces that may be looked at; the others are asked again until one of them may be. */
async function lookedAfter(
  start: Start,
  client: Client,
  wanted: readonly string[] | null,
  outdate: (why: string) => void,
): Promise<readonly string[] | null> {
  const { installation } = start.config
  const { namespaces, refused } = await stepOf(start, 'cluster')(clusterMayPass, () =>
    greet(client, installation, wanted),
  )
  if (refused.length > 0)
    start.log.error('some namespaces may not be looked at: they are gone, or the role in them is', {
      refused,
    })
  const refusals = watchRefused({
    refused,
    clock: systemClock,
    ask: namespace => askFor(client, installation, namespace),
    opened: namespace => outdate(`the namespace ${namespace} may be looked at now`),
  })
  start.closings.push(() => refusals.close())
  start.ready.push(refusals.check)
  return namespaces
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })
}
