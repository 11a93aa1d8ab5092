/**
 * `npm run bench -- webhook`: events of another process, signed, over HTTP into a SQLite file with `synchronous=FULL`:
 * each is answered after its run is durable. Beside it, what the outbox sends.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { compileExpression, compileTemplate, hasTemplate } from '../../src/core/expression/cel.ts'
import type { Json } from '../../src/core/json.ts'
import { dagHash } from '../../src/engine/dag-hash.ts'
import { Engine } from '../../src/engine/engine.ts'
import { EngineEventRuns } from '../../src/engine/event-runs.ts'
import { Outbox } from '../../src/engine/outbox.ts'
import { systemClock, systemIdentity } from '../../src/host/clock.ts'
import { policyOf } from '../../src/notifiers/webhook/policy.ts'
import { systemResolve } from '../../src/notifiers/webhook/resolve.ts'
import { WebhookSender } from '../../src/notifiers/webhook/sender.ts'
import type { Executor, Observation } from '../../src/ports/executor.ts'
import type { ServerOptions } from '../../src/server/parts.ts'
import { ROUTES } from '../../src/server/routes.ts'
import { openServer } from '../../src/server/server.ts'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'
import { aDag, aTask } from '../model/dags.ts'
import { type Figure, type Figures, atLeast, figureOf } from './figure.ts'

const CLIENT = fileURLToPath(new URL('webhook-client.ts', import.meta.url))
const EVENTS = 3_000
const CLIENTS = 64
const KEY = 'bench'

export const figures: Figures = async ({ rounds, only, say }) => {
  const samples = new Map<string, number[]>()
  const note = (name: string, value: number): unknown =>
    samples.set(name, [...(samples.get(name) ?? []), value])
  for (let round = 0; round <= rounds; round += 1) {
    say(`round ${round} of ${rounds}`)
    for (const [name, ends] of [
      ['whole-runs', true],
      ['waiting-runs', false],
    ] as const) {
      const { perSecond, perCpuSecond, p50, p99, sentPerSecond } = await accepted(ends)
      if (round === 0) continue
      note(`accepted-${name}`, perSecond)
      note(`accepted-${name}-cpu`, perCpuSecond)
      note(`accepted-${name}-p50`, p50)
      note(`accepted-${name}-p99`, p99)
      if (ends) note('sent', sentPerSecond)
    }
  }
  const goals: readonly (readonly [string, string, number | null, string])[] = [
    ['accepted-waiting-runs', '/s', 1_000, `${CLIENTS} connections; the runs wait for a slot`],
    ['accepted-waiting-runs-cpu', '/s', null, 'events for each second of processor time of the server'],
    ['accepted-waiting-runs-p50', 'ms', null, ''],
    ['accepted-waiting-runs-p99', 'ms', null, ''],
    [
      'accepted-whole-runs',
      '/s',
      1_000,
      'the same engine runs each to its end meanwhile, of one task that does nothing',
    ],
    ['accepted-whole-runs-cpu', '/s', null, 'the same, the runs included'],
    ['accepted-whole-runs-p50', 'ms', null, ''],
    ['accepted-whole-runs-p99', 'ms', null, ''],
    ['sent', '/s', null, 'messages from the outbox to one receiver in the same process, 4 at a time'],
  ]
  return goals
    .filter(([name]) => name.includes(only))
    .map(
      ([name, unit, goal, detail]): Figure =>
        figureOf(name, samples.get(name) ?? [], unit, goal === null ? null : atLeast(goal), detail),
    )
}

interface Accepted {
  readonly perSecond: number
  readonly perCpuSecond: number
  readonly p50: number
  readonly p99: number
  readonly sentPerSecond: number
}

async function accepted(ends: boolean): Promise<Accepted> {
  const folder = mkdtempSync(join(tmpdir(), 'kontroler-bench-'))
  const store = await openSqliteStore(join(folder, 'kontroler.db'))
  const engines: Engine[] = []
  const receiver = createServer((request, response) => request.resume().on('end', () => response.end()))
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const engine = new Engine({
    store,
    executor: instant(observation => engines[0]?.observe(observation)),
    clock: systemClock,
    identity: systemIdentity,
    values: { secret: async () => null, configMap: async () => null },
    language: { compileExpression, compileTemplate, hasTemplate },
    probe: { isAlive: () => true },
    notices: { trouble: (_code, message) => console.error(message) },
    me: { id: 'bench', pid: process.pid, processStart: '', bootId: '', host: '', seenAt: 0 },
    settings: {
      maxParallel: ends ? 64 : 1,
      pools: new Map([['none', 1]]),
      stopGraceMs: 1_000,
      pollMs: 1_000,
    },
  })
  engines.push(engine)
  await engine.open()
  const webhook: Json = {
    url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
    events: ['runSucceeded'],
  }
  const dag = {
    ...aDag({ name: 'bench', tasks: [aTask({ name: 'only', ...(ends ? {} : { pool: 'none' }) })] }),
    extra: {
      triggers: [
        { name: 'hook', webhook: { secret: { name: 'hook' } }, filter: "event.body.kind == 'push'" },
      ],
      ...(ends ? { webhook } : {}),
    },
  }
  await store.putDag(dag, dagHash(dag), 'api', Date.now())
  const server = await openServer(optionsOf(engine), ROUTES, 0)
  const before = process.cpuUsage()
  const url = `${server.url}/hooks/${dag.namespace}/bench/hook`
  const child = spawn(process.execPath, [CLIENT, url, String(EVENTS), String(CLIENTS), KEY], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(child, 'close')
  const { user, system } = process.cpuUsage(before)
  const told = JSON.parse(text) as { ms: number; refused: number; p50: number; p99: number }
  if (told.refused > 0) throw new Error(`${told.refused} events were refused`)
  const sentPerSecond = ends ? await sent(engine) : 0
  await server.close()
  await engine.close()
  await store.close()
  receiver.close()
  rmSync(folder, { recursive: true })
  const perCpuSecond = (EVENTS / (user + system)) * 1e6
  return { perSecond: (EVENTS / told.ms) * 1_000, perCpuSecond, p50: told.p50, p99: told.p99, sentPerSecond }
}

/** All messages of these runs, once the events are in. */
async function sent(engine: Engine): Promise<number> {
  const { store } = engine.parts
  while (engine.driving().length > 0) await pause(20)
  const trouble = (error: unknown): void => console.error(error)
  let taken = 0
  const over = Promise.withResolvers<void>()
  const sender = new WebhookSender({
    store,
    clock: systemClock,
    identity: systemIdentity,
    values: engine.parts.values,
    policy: policyOf([], true, null),
    resolve: systemResolve,
    userAgent: 'bench',
    leftTo: async () => [],
    trouble,
    tried: () => {
      taken += 1
      if (taken === EVENTS) over.resolve()
    },
  })
  const outbox = new Outbox({ store, clock: systemClock, filled: () => undefined, trouble })
  await outbox.catchUp()
  const began = performance.now()
  sender.open()
  await over.promise
  const ms = performance.now() - began
  await outbox.close()
  await sender.close()
  return (EVENTS / ms) * 1_000
}

function optionsOf(engine: Engine): ServerOptions {
  const never = async (): Promise<never> => await Promise.reject(new Error('nobody asks for this'))
  const { store, clock, identity, probe } = engine.parts
  return {
    store,
    logs: {} as ServerOptions['logs'],
    control: {} as ServerOptions['control'],
    authenticator: { identify: never, redeem: never },
    hooks: {
      runs: new EngineEventRuns(engine, { workdir: null, nameOf: dag => `${dag}-1` }),
      values: { secret: async () => KEY },
      serves: () => true,
    },
    probe,
    clock,
    identity,
    version: 'bench',
    trouble: (_id, error) => console.error(error),
    limits: { hookEventsPerSecondMax: 1_000_000 },
  }
}

/** Ends everything at once; keeps nothing. */
function instant(observe: (observation: Observation) => void): Executor {
  const ended = { reason: 'SUCCEEDED', exitCode: 0, signal: null, message: null, outputs: {} } as const
  return {
    name: 'instant',
    ignores: () => [],
    start(spec) {
      const ref = { run: spec.run, task: spec.task, attempt: spec.attempt }
      observe({ kind: 'running', ref, at: Date.now(), handle: null })
      observe({ kind: 'ended', ref, at: Date.now(), outcome: { kind: 'succeeded', ...ended } })
    },
    adopt: async () => false,
    stop: () => undefined,
    release: () => undefined,
    endRun: async () => undefined,
    close: async () => undefined,
  }
}
