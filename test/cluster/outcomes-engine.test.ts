/** The way from a pod to what people read, through the engine: what it records, and what it then asks of the executor. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { compileExpression, compileTemplate, hasTemplate } from '../../src/core/expression/cel.ts'
import type { Dag, Task } from '../../src/core/dag/dag.ts'
import { replay } from '../../src/core/run/evolve.ts'
import { explainTask } from '../../src/core/run/explain.ts'
import type { RunEvent } from '../../src/core/run/events.ts'
import type { RunState } from '../../src/core/run/state.ts'
import { dagHash } from '../../src/engine/dag-hash.ts'
import { Engine } from '../../src/engine/engine.ts'
import { systemClock, systemIdentity } from '../../src/host/clock.ts'
import type { Client } from '../../src/kubernetes/client.ts'
import type { Observation } from '../../src/ports/executor.ts'
import type { Store } from '../../src/ports/store.ts'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'
import { aCreation, aDag, aTask, CONTAINER } from '../model/dags.ts'
import { type OutcomeHouse, outcomeHouse } from './outcome-house.ts'
import { eventually } from './parts.ts'
import { clientOf, fullCluster } from './shared.ts'

describe('outcomes of pods in a run', { timeout: 180_000, concurrency: 3 }, () => {
  let client: Client
  let house: OutcomeHouse
  let store: Store
  let engine: Engine
  const told: RunEvent[] = []
  before(async () => {
    client = clientOf(await fullCluster())
    store = await openSqliteStore(':memory:')
    house = await outcomeHouse(client, {
      standing: async ref => {
        const row = (await store.attempts(ref.run, ref.task)).find(({ attempt }) => attempt === ref.attempt)
        return row === undefined ? 'unknown' : row.phase === 'ended' ? 'ended' : 'live'
      },
    })
    const observers: ((observation: Observation) => void)[] = []
    engine = new Engine({
      store,
      executor: house.place.open(observation => observers.forEach(observe => observe(observation))),
      clock: systemClock,
      identity: systemIdentity,
      values: { secret: async () => null, configMap: async () => null },
      language: { compileExpression, compileTemplate, hasTemplate },
      probe: { isAlive: () => true },
      notices: { events: (_, events) => told.push(...events) },
      me: { id: 'me', pid: 1, processStart: '1', bootId: 'boot', host: 'here', seenAt: 0 },
      settings: { maxParallel: 10, pools: new Map(), stopGraceMs: 2_000, pollMs: 1_000 },
    })
    observers.push(observation => engine.observe(observation))
    await engine.open()
  })
  after(async () => {
    await engine.close()
    await house.close()
    await store.close()
    await client.close()
  })

  const work = (sh: string, podTemplate: (typeof CONTAINER)['podTemplate'] = null): Task['work'] => ({
    ...CONTAINER,
    image: 'busybox:1.36',
    command: ['sh', '-c', sh],
    podTemplate,
  })
  const submit = async (name: string, given: Partial<Dag>): Promise<string> => {
    const dag = aDag({ name, namespace: house.place.namespace, ...given })
    const run = systemIdentity.id()
    await store.putDag(dag, dagHash(dag), null, systemClock.now())
    const { namespace } = dag
    await engine.submit(
      dag,
      aCreation({
        run,
        name: `${name}-1`,
        namespace,
        dag: name,
        dagHash: dagHash(dag),
        at: systemClock.now(),
      }),
      [],
    )
    return run
  }
  const stateOf = async (run: string, dag: Partial<Dag>, name: string): Promise<RunState> =>
    replay(aDag({ name, namespace: house.place.namespace, ...dag }), await store.events(run))
  const ended = async (run: string): Promise<string> => {
    const phase = async (): Promise<string> => (await store.run(run))?.phase ?? ''
    await eventually(`run ${run}`, async () => ['succeeded', 'failed'].includes(await phase()))
    return await phase()
  }

  test('strict starts and finalizers: recorded, let go, run, and gone without a trace of a finalizer', async () => {
    const tasks = [
      aTask({ name: 'first', work: work('exit 0') }),
      aTask({ name: 'second', work: work('exit 0'), runAfter: ['first'] }),
    ]
    const run = await submit('guarded', { tasks, extra: { startGuarantee: 'strict', evidence: 'finalizer' } })
    assert.equal(await ended(run), 'succeeded')
    const events = await store.events(run)
    for (const task of ['first', 'second']) {
      const made = events.find(event => event.type === 'attemptPending' && event.task === task)
      const runs = events.find(event => event.type === 'attemptRunning' && event.task === task)
      assert.ok(made?.type === 'attemptPending' && runs?.type === 'attemptRunning')
      const uidOf = (handle: unknown): unknown => (handle as { readonly uid?: string }).uid
      assert.equal(uidOf(made.handle), uidOf(runs.handle))
      const finalizers = async () => (await house.pod({ run, task, attempt: 1 })).metadata.finalizers ?? []
      await eventually('no finalizer', async () => (await finalizers()).length === 0)
    }
  })

  test('a pendingTimeout says what the pod waited for', async () => {
    const hopeless = work('true', { nodeSelector: { disk: 'none' } })
    const given = {
      tasks: [aTask({ name: 'held', work: hopeless, pendingTimeoutMs: 3_000, onLost: 'fail' })],
    }
    const run = await submit('hopeless', given)
    await eventually('it has been given up', () =>
      told.some(event => event.type === 'attemptEnded' && event.task === 'held'),
    )
    const end = told.find(event => event.type === 'attemptEnded' && event.task === 'held')
    assert.ok(end?.type === 'attemptEnded')
    assert.equal(end.outcome.reason, 'PENDING_TIMED_OUT')
    assert.match(end.outcome.message ?? '', /^it waited: 0\/\d+ nodes are available/u)
    await engine.request(run, { kind: 'cancel', by: 'anna', skipFinally: true })
  })

  test('a volume that never comes is explained while it waits, as only Events tell it', async () => {
    const volume = { name: 'data', hostPath: { path: '/no/such/folder', type: 'Directory' } }
    const template = { volumes: [volume], volumeMounts: [{ name: 'data', mountPath: '/data' }] }
    const given = { tasks: [aTask({ name: 'mounts', work: work('true', template) })] }
    const run = await submit('volumes', given)
    const explained = async () =>
      explainTask(await stateOf(run, given, 'volumes'), 'mounts', systemClock.now(), {
        pools: new Map(),
        engine: null,
        driven: true,
        queuedBehind: null,
      })
    await eventually('it is explained', async () => (await explained()).code === 'VOLUME_PENDING')
    assert.match((await explained()).sentence, /^mounts waits for a volume: .*hostPath type check failed/u)
    await engine.request(run, { kind: 'cancel', by: 'anna', skipFinally: true })
    await eventually('it has ended', async () => (await store.run(run))?.phase === 'cancelled')
  })
})
