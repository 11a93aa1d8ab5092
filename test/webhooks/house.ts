import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Dag } from '../../src/core/dag/dag.ts'
import type { Json } from '../../src/core/json.ts'
import type { RunCreated, RunEvent } from '../../src/core/run/events.ts'
import { Outbox } from '../../src/engine/outbox.ts'
import { systemClock, systemIdentity } from '../../src/host/clock.ts'
import { type SenderParts, WebhookSender } from '../../src/notifiers/webhook/sender.ts'
import { policyOf } from '../../src/notifiers/webhook/policy.ts'
import { systemResolve } from '../../src/notifiers/webhook/resolve.ts'
import type { Delivery } from '../../src/ports/deliveries.ts'
import type { Store } from '../../src/ports/store.ts'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'
import { append, dag, runRow, settle } from '../contracts/store-records.ts'

/** A store with an outbox and a sender over it, as an engine's process has them. */
export interface House {
  readonly store: Store
  readonly file: string
  /** Puts a DAG in force whose runs notify this receiver. */
  withDag(name: string, webhook: Json): Promise<void>
  /** A run of it that has begun. */
  begin(run: string, dagName: string): Promise<void>
  /** It ends well. */
  end(run: string, dagName: string): Promise<void>
  open(over?: Partial<SenderParts>): WebhookSender
  /** Messages of a run once this holds for them. */
  until(run: string, holds: (deliveries: readonly Delivery[]) => boolean): Promise<readonly Delivery[]>
}

export async function openHouse(t: TestContext): Promise<House> {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-webhooks-'))
  const file = join(folder, 'kontroler.db')
  const store = await openSqliteStore(file)
  const closings: (() => Promise<void>)[] = []
  t.after(async () => {
    for (const close of closings.toReversed()) await close()
    await store.close()
    await rm(folder, { recursive: true })
  })
  const trouble = (error: unknown): void => {
    throw error
  }
  return {
    store,
    file,
    async withDag(name, webhook) {
      await store.putDag(dagWith(name, webhook), hashOf(name), null, 1)
    },
    async begin(run, dagName) {
      await store.append(
        append(run, 0, {
          events: [createdOf(run, dagName)],
          rows: { run: runRow(run, { dag: dagName, dagHash: hashOf(dagName) }), tasks: [], attempts: [] },
        }),
      )
    },
    async end(run, dagName) {
      await store.append(settle(run, 1, { dag: dagName, dagHash: hashOf(dagName) }))
    },
    open(over = {}) {
      const sender = new WebhookSender({
        store,
        identity: systemIdentity,
        clock: systemClock,
        values: { secret: () => Promise.resolve(null) },
        policy: policyOf([], true, null),
        resolve: systemResolve,
        userAgent: 'test',
        leftTo: () => Promise.resolve([]),
        trouble,
        ...over,
      })
      const outbox = new Outbox({ store, clock: systemClock, filled: () => sender.look(), trouble })
      outbox.open()
      sender.open()
      closings.push(async () => {
        await outbox.close()
        await sender.close()
      })
      return sender
    },
    async until(run, holds) {
      for (;;) {
        const { items } = await store.deliveries.list({ run })
        if (items.length > 0 && holds(items)) return items
        await pause(10)
      }
    },
  }
}

export const all =
  (state: Delivery['state'], count: number) =>
  (deliveries: readonly Delivery[]): boolean =>
    deliveries.length === count && deliveries.every(one => one.state === state)

const hashOf = (name: string): string => `hash of ${name}`

function dagWith(name: string, webhook: Json): Dag {
  return dag(name, { extra: { webhook } })
}

function createdOf(run: string, dagName: string): RunEvent {
  const created: RunCreated = {
    type: 'runCreated',
    at: 1_700_000_000_000,
    v: 1,
    run,
    name: `${dagName}-1`,
    namespace: 'default',
    dag: dagName,
    dagHash: hashOf(dagName),
    parameters: [],
    labels: {},
    trigger: { kind: 'manual', key: run, by: 'ana' },
    priority: 0,
    parent: null,
    continues: null,
    workdir: null,
    maxParallelTasks: null,
    queued: false,
  }
  return created
}
