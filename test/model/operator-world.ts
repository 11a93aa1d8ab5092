import type { TestContext } from 'node:test'
import { Scheduler } from '../../src/engine/scheduler.ts'
import type { Json } from '../../src/core/json.ts'
import { fieldOf } from '../../src/operator/conditions.ts'
import type { KindName } from '../../src/operator/cluster.ts'
import { type Operator, openOperator, scheduledRunName } from '../../src/operator/operator.ts'
import type { OperatorSettings } from '../../src/operator/parts.ts'
import { type Actor, EngineWorld } from './engine-world.ts'
import { MemoryCluster } from './memory-cluster.ts'

/** An operator with its engine, in a cluster and over a database in memory, in time that moves when a test says so. */
export class OperatorWorld {
  readonly cluster = new MemoryCluster()
  readonly troubles: string[] = []
  /** Runs whose logs cannot be removed. */
  readonly logsStay = new Set<string>()
  readonly world: EngineWorld
  readonly actor: Actor
  readonly operator: Operator

  constructor(world: EngineWorld, actor: Actor, prepare: Prepare, settings: Partial<OperatorSettings>) {
    this.world = world
    this.actor = actor
    prepare(this.cluster)
    const { store } = actor.fragile
    this.operator = openOperator({
      cluster: this.cluster,
      engine: actor.engine,
      scheduler: new Scheduler(actor.engine, { workdir: null, nameOf: scheduledRunName }),
      store,
      logs: {
        remove: async run => {
          if (this.logsStay.has(run)) throw new Error('the archive is away')
        },
      },
      clock: world.clock.for('operator'),
      chance: () => 0.5,
      trouble: (code, message) => this.troubles.push(`${code} ${message}`),
      settings: { namespaces: null, retention: { runs: null, ageMs: null }, ...settings },
    })
  }

  /** What its object says of it. */
  said(kind: KindName, name: string, field: string): unknown {
    return fieldOf(this.cluster.find(kind, name).status, field)
  }

  uid(kind: KindName, name: string): string {
    return this.cluster.find(kind, name).metadata.uid
  }
}

type Prepare = (cluster: MemoryCluster) => void

/** @param prepare  Makes what is there before the operator is. */
export async function openOperatorWorld(
  t: TestContext,
  prepare: Prepare = () => undefined,
  settings: Partial<OperatorSettings> = {},
): Promise<OperatorWorld> {
  const world = await EngineWorld.open()
  const open = new OperatorWorld(world, await world.engine('engine'), prepare, settings)
  t.after(async () => {
    await open.operator.close()
    await world.close()
  })
  await world.pass(2_000)
  return open
}

/** A DAG's text: one task, or these. */
export const dagText = (...tasks: readonly Json[]): Json => ({
  task: tasks.length === 0 ? [{ name: 'a', image: 'busybox', command: ['true'] }] : [...tasks],
})
