import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '../../src/kubernetes/client.ts'
import type { KubeObject } from '../../src/kubernetes/object.ts'
import { startReflector } from '../../src/kubernetes/reflector.ts'
import { CONFIG_MAPS, NAMESPACES, PODS } from '../../src/kubernetes/resource.ts'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'
import { type Cluster, startCluster } from '../cluster/cluster.ts'
import { ControllerHouse, knowKinds } from '../cluster/controller/house.ts'
import { clientOf } from '../cluster/shared.ts'
import { atLeast, type Figure, figureOf, type Figures } from './figure.ts'

/** Pods of one chain, one after the other. */
const LENGTH = 100
/** Pods of one fan-out. */
const WIDTH = 1_000
/** Creates of the floor in flight. */
const IN_FLIGHT = 32

/**
 * The controller, its database included, against the least that a client can do: POST a pod, see it succeeded on one
 * watch (FC: the next one then; F3: 32 at a time). Pods are ended by a fake node of its own process, so it is the API
 * server that is measured, with nothing of a kubelet; floor and controller take turns on the same one.
 */
export const figures: Figures = async options => {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-bench-cluster-'))
  const cluster = await startCluster({ mode: 'api', state: join(folder, 'state'), fakeNode: true })
  const floor = await Floor.open(cluster)
  const house = await ControllerHouse.make(cluster)
  try {
    knowKinds(cluster)
    house.start()
    await house.runs()
    await house.apply('DAG', 'chain', chain())
    await house.apply('DAG', 'fan', fan())
    const samples = { chain: [] as number[], fc: [] as number[], fan: [] as number[], f3: [] as number[] }
    for (let round = 0; round <= options.rounds; round += 1) {
      options.say(`cluster: round ${round} of ${options.rounds}`)
      const fc = await floor.chain()
      const ours = await runMs(house, `chain-${round}`, 'chain')
      const f3 = await floor.fan()
      const wide = await runMs(house, `fan-${round}`, 'fan')
      await emptied(house)
      // Round 0 warms everything up.
      if (round === 0) continue
      samples.fc.push(fc)
      samples.chain.push(ours)
      samples.f3.push(f3)
      samples.fan.push(wide)
    }
    return figuresOf(samples)
  } finally {
    await house.end('SIGKILL')
    await floor.close()
    await house.remove()
    await cluster.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

interface Samples {
  readonly chain: readonly number[]
  readonly fc: readonly number[]
  readonly fan: readonly number[]
  readonly f3: readonly number[]
}

function figuresOf({ chain: ours, fc, fan: wide, f3 }: Samples): readonly Figure[] {
  const over = (floor: readonly number[], own: readonly number[]): readonly number[] =>
    own.map((ms, index) => (floor[index] ?? Number.NaN) / ms)
  const each = (all: readonly number[], count: number): readonly number[] => all.map(ms => ms / count)
  const rate = (all: readonly number[]): readonly number[] => all.map(ms => (WIDTH / ms) * 1_000)
  return [
    figureOf(
      'cluster/chain-step',
      each(ours, LENGTH),
      'ms',
      null,
      `one of ${LENGTH} tasks, each after the last`,
    ),
    figureOf('cluster/chain-floor-step', each(fc, LENGTH), 'ms', null, 'FC: POST, seen succeeded, next'),
    figureOf('cluster/chain-against-floor', over(fc, ours), '×', atLeast(0.75), 'rate, of FC'),
    figureOf('cluster/fan-rate', rate(wide), '/s', null, `${WIDTH} tasks after one, until all are recorded`),
    figureOf('cluster/fan-floor-rate', rate(f3), '/s', null, `F3 without deletion, ${IN_FLIGHT} in flight`),
    figureOf('cluster/fan-against-floor', over(f3, wide), '×', atLeast(0.85), 'rate, of F3 without deletion'),
  ]
}

/** What the bare client needs. Its pods look like ours: a fence, a label, a hardened container. */
class Floor {
  readonly #client: Client
  readonly #namespace = 'floor'
  readonly #waiting = new Map<string, () => void>()
  readonly #reflector
  #count = 0

  private constructor(client: Client) {
    this.#client = client
    this.#reflector = startReflector({
      client,
      resource: PODS,
      namespace: this.#namespace,
      listener: {
        changed: object => {
          const { phase } = (object as KubeObject & { status?: { phase?: string } }).status ?? {}
          if (phase === 'Succeeded') this.#waiting.get(object.metadata.name)?.()
        },
        deleted: () => undefined,
      },
    })
  }

  static async open(cluster: Cluster): Promise<Floor> {
    const client = clientOf(cluster)
    await client.create(NAMESPACES, undefined, { metadata: { name: 'floor' } })
    await client.create(CONFIG_MAPS, 'floor', { metadata: { name: 'fence' }, data: { fence: 'x' } })
    const floor = new Floor(client)
    await floor.#reflector.synced
    return floor
  }

  async chain(): Promise<number> {
    const began = performance.now()
    for (let index = 0; index < LENGTH; index += 1) {
      const { created, succeeded } = this.#create()
      await Promise.all([created, succeeded])
    }
    return await this.#emptied(performance.now() - began)
  }

  async fan(): Promise<number> {
    const began = performance.now()
    const succeeded: Promise<void>[] = []
    const worker = async (): Promise<void> => {
      while (succeeded.length < WIDTH) {
        const pod = this.#create()
        succeeded.push(pod.succeeded)
        await pod.created
      }
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
    await Promise.all(succeeded)
    return await this.#emptied(performance.now() - began)
  }

  async close(): Promise<void> {
    await this.#reflector.stop()
    await this.#client.close()
  }

  #create(): { readonly created: Promise<unknown>; readonly succeeded: Promise<void> } {
    this.#count += 1
    const name = `pod-${this.#count}`
    const { promise: succeeded, resolve } = Promise.withResolvers<void>()
    this.#waiting.set(name, resolve)
    return { created: this.#client.createBrief(PODS, this.#namespace, podOf(name)), succeeded }
  }

  async #emptied(ms: number): Promise<number> {
    this.#waiting.clear()
    await this.#client.removeAll(PODS, { namespace: this.#namespace })
    return ms
  }
}

const podOf = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: 'floor', run: 'floor' } },
  spec: {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'task',
        image: 'busybox:1.36',
        command: ['true'],
        env: [{ name: 'KONTROLER_TASK', value: name }],
        securityContext: { allowPrivilegeEscalation: false },
        volumeMounts: [{ name: 'fence', mountPath: '/kontroler' }],
      },
    ],
    volumes: [{ name: 'fence', projected: { sources: [{ configMap: { name: 'fence' } }] } }],
  },
})

const chain = (): object => ({
  task: Array.from({ length: LENGTH }, (_, index) => ({
    name: `t${index}`,
    image: 'busybox:1.36',
    command: ['true'],
    ...(index === 0 ? {} : { runAfter: [`t${index - 1}`] }),
  })),
})

const fan = (): object => ({
  task: [
    {
      name: 'each',
      image: 'busybox:1.36',
      command: ['true'],
      forEach: Array.from({ length: WIDTH }, (_, index) => String(index)),
    },
  ],
})

/** From the run's beginning to its end, as the database has them. */
async function runMs(house: ControllerHouse, name: string, dagName: string): Promise<number> {
  await house.apply('DagRun', name, { dagName })
  const {
    runId = '',
    phase,
    message,
  } = await house.until(name, ({ completionTime }) => completionTime !== undefined, 120_000)
  if (phase !== 'succeeded') throw new Error(`${name} has ${phase}: ${message}`)
  const store = await openSqliteStore(join(house.stateDir, 'kontroler.db'))
  try {
    const run = await store.run(runId)
    return (run?.endedAt ?? Number.NaN) - (run?.createdAt ?? Number.NaN)
  } finally {
    await store.close()
  }
}

/** Tombstones of a run cost nothing while the next one runs, but a list of thousands does. */
async function emptied(house: ControllerHouse): Promise<void> {
  await house.client.removeAll(PODS, { namespace: house.namespace })
  await delay(1_000)
}
