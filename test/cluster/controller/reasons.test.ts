import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runSelector } from '../../../src/executors/pod/names.ts'
import type { KubeObject } from '../../../src/kubernetes/object.ts'
import { PODS, type Resource } from '../../../src/kubernetes/resource.ts'
import type { Store } from '../../../src/ports/store.ts'
import type { DagRunStatus } from '../../../src/spec/schema/status.ts'
import { openSqliteStore } from '../../../src/stores/sqlite/open.ts'
import type { Kubernetes } from '../kubernetes.ts'
import { eventually } from '../operator/house.ts'
import { fullCluster } from '../shared.ts'
import { ControllerHouse, knowKinds } from './house.ts'

const EVENTS: Resource = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true }
const sh = (script: string, more: object = {}): object => ({ image: 'busybox:1.36', script, ...more })

/** Tasks that fail by themselves, and the code of each. What waits is not waited for. */
const FAILS: Readonly<Record<string, { readonly reason: string; readonly task: object }>> = {
  exits: { reason: 'EXIT_CODE', task: sh('exit 3') },
  hungry: {
    reason: 'OOM_KILLED',
    task: {
      image: 'busybox:1.36',
      command: ['tail', '/dev/zero'],
      resources: { limits: { memory: '24Mi' } },
    },
  },
  'no-command': {
    reason: 'COMMAND_NOT_FOUND',
    task: { image: 'busybox:1.36', command: ['nothing-like-it'] },
  },
  slow: { reason: 'TIMED_OUT', task: sh('sleep 60', { timeout: '1s' }) },
  late: {
    reason: 'PENDING_TIMED_OUT',
    task: sh('true', {
      pendingTimeout: '200ms',
      podTemplate: { nodeSelector: { 'no/such': 'node' } },
    }),
  },
  init: {
    reason: 'INIT_FAILED',
    task: sh('true', {
      podTemplate: { initContainers: [{ name: 'first', image: 'busybox:1.36', command: ['false'] }] },
    }),
  },
}

/** Tasks that wait for what never comes, and what their status says of it. */
const WAITS: Readonly<Record<string, { readonly says: RegExp; readonly task: object }>> = {
  'no-image': {
    says: /^IMAGE_PULL .*docker\.io\/local\/none:1/,
    task: { image: 'docker.io/local/none:1', command: ['true'] },
  },
  'no-secret': {
    says: /^CONTAINER_CONFIG .*secret "none" not found/,
    task: sh('true', {
      env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'none', key: 'token' } } }],
    }),
  },
  'no-node': {
    says: /^UNSCHEDULABLE .*node/,
    task: sh('true', { podTemplate: { nodeSelector: { 'no/such': 'node' } } }),
  },
  'no-claim': {
    says: /^VOLUME_PENDING .*persistentvolumeclaim "none" not found/,
    task: sh('true', {
      podTemplate: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'none' } }] },
    }),
  },
}

/** One path from a pod to whoever looks: database, status of the DagRun, Event, each with the same code. */
describe('reason codes reach everybody', { concurrency: 3 }, () => {
  let cluster: Kubernetes
  let house: ControllerHouse
  let store: Store
  before(async () => {
    cluster = await fullCluster()
    knowKinds(cluster)
    house = await ControllerHouse.make(cluster)
    house.start()
    await house.runs()
    store = await openSqliteStore(join(house.stateDir, 'kontroler.db'))
  })
  after(async () => {
    await store.close()
    await house.remove()
  })

  /** Notes of the Events about a DagRun. */
  const notes = async (name: string): Promise<readonly string[]> => {
    const query = { namespace: house.namespace, fieldSelector: `involvedObject.name=${name}` }
    const { items } = await house.client.list<KubeObject & { readonly message: string }>(EVENTS, query)
    return items.map(({ message }) => message)
  }
  const told = async (name: string, task: string, reason: string): Promise<void> => {
    let said: readonly string[] = []
    const isTold = (): boolean =>
      said.some(note => note.startsWith(`${task} `) && note.endsWith(`(${reason})`))
    await eventually(`Event of ${task}`, async () => {
      said = await notes(name)
      return isTold() ? true : null
    }).catch(() => assert.fail(`no Event about ${task} with ${reason}, but: ${said.join(' | ')}`))
  }
  const ended = ({ completionTime }: DagRunStatus): boolean => completionTime !== undefined

  test('of tasks that fail by themselves', async () => {
    await house.apply('DAG', 'fails', {
      task: Object.entries(FAILS).map(([name, { task }]) => ({ name, backoff: { limit: 0 }, ...task })),
    })
    await house.apply('DagRun', 'fails', { dagName: 'fails' })
    const { runId = '', tasks = [] } = await house.until('fails', ended, 120_000)
    const rows = (await store.tasks({ run: runId })).items
    for (const [name, { reason }] of Object.entries(FAILS)) {
      assert.equal(rows.find(({ task }) => task === name)?.reason, reason, `${name} in the database`)
      assert.equal(tasks.find(task => task.name === name)?.reason, reason, `${name} in the status`)
      await told('fails', name, reason)
    }
  })

  test('of tasks that wait for what never comes; cancelled, they are gone', async () => {
    await house.apply('DAG', 'waits', {
      task: Object.entries(WAITS).map(([name, { task }]) => ({ name, ...task })),
    })
    await house.apply('DagRun', 'waits', { dagName: 'waits' })
    await house.until(
      'waits',
      ({ tasks = [] }) =>
        Object.entries(WAITS).every(([name, { says }]) =>
          tasks.some(task => task.name === name && says.test(`${task.reason} ${task.message}`)),
        ),
      60_000,
    )
    await house.apply('DagRun', 'waits', { dagName: 'waits', cancel: true })
    const { phase } = await house.until('waits', ended, 60_000)
    assert.equal(phase, 'cancelled')
  })

  for (const [what, reason, end] of [
    ['deleted by hand', 'POD_DELETED', 'delete'],
    ['evicted as a drain does it', 'DRAINED', 'evict'],
  ] as const)
    test(`of a task whose pod is ${what}: it is tried again, and succeeds`, async () => {
      await house.apply('DAG', end, {
        task: [{ name: 'work', ...sh('[ $KONTROLER_ATTEMPT = 2 ] || sleep 60') }],
      })
      await house.apply('DagRun', end, { dagName: end })
      const { runId = '' } = await house.until(end, ({ tasks = [] }) =>
        tasks.some(({ state }) => state === 'running'),
      )
      const query = { namespace: house.namespace, labelSelector: runSelector(runId) }
      const [pod] = (await house.client.list(PODS, query)).items
      assert.ok(pod !== undefined)
      const { name } = pod.metadata
      const place = { namespace: house.namespace, name }
      if (end === 'delete') await house.client.remove(PODS, place)
      else
        await house.client.createBelow(PODS, place, 'eviction', {
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: place,
        })
      const { phase, message } = await house.until(end, ended, 120_000)
      assert.equal(phase, 'succeeded', message)
      const [first] = await store.attempts(runId, 'work')
      assert.equal(first?.reason, reason)
      await told(end, 'work', reason)
    })
})
