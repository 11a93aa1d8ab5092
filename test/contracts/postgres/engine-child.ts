/**
 * An engine as a process of its own, with a host name of its own, on a database and a state directory that it shares
 * with others: `node engine-child.ts URL STATE HOST [TASKS]`. With TASKS it submits one run; it drives that, takes
 * over what dead engines left, and ends when told by its standard input. Says a line for each thing that happens.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { compileExpression, compileTemplate, hasTemplate } from '../../../src/core/expression/cel.ts'
import { systemClock, systemIdentity } from '../../../src/host/clock.ts'
import { dagHash } from '../../../src/engine/dag-hash.ts'
import { Engine } from '../../../src/engine/engine.ts'
import { createProcessExecutor } from '../../../src/executors/process/executor.ts'
import type { EngineProbe } from '../../../src/ports/notices.ts'
import type { Observation } from '../../../src/ports/executor.ts'
import { StoreError } from '../../../src/ports/store.ts'
import { openPostgresStore } from '../../../src/stores/postgres/open.ts'
import { aCreation, aDag, aTask } from '../../model/dags.ts'

/** An engine that was not heard of for this long counts as dead; each says every so often that it lives. */
const SILENCE_MS = 1_000
const BEAT_MS = 200
const LANES = 4

const [url = '', stateDir = '', host = '', tasks] = process.argv.slice(2)
const store = await openPostgresStore(url, { idleMs: 2_000 })
const observers: ((observation: Observation) => void)[] = []
const me = {
  id: systemIdentity.id(),
  pid: process.pid,
  processStart: host,
  bootId: host,
  host,
  seenAt: Date.now(),
}
const probe: EngineProbe = {
  isAlive: engine => engine.host === host || Date.now() - (engine.seenAt ?? 0) < SILENCE_MS,
}
const engine = new Engine({
  store,
  executor: createProcessExecutor({ stateDir, observe: one => observers.forEach(observe => observe(one)) }),
  clock: systemClock,
  identity: systemIdentity,
  values: { secret: async () => null, configMap: async () => null },
  language: { compileExpression, compileTemplate, hasTemplate },
  probe,
  notices: {
    events: (state, events) => {
      if (events.some(({ type }) => type === 'runSettled')) say(`settled ${state.created.run} ${state.phase}`)
    },
    trouble: code => say(`trouble ${code}`),
  },
  me,
  settings: { maxParallel: 4, pools: new Map([['one', 1]]), stopGraceMs: 1_000, pollMs: 50 },
})
observers.push(observation => engine.observe(observation))
await engine.open()
say('open')
const beating = setInterval(() => void store.beat({ ...me, seenAt: Date.now() }).catch(trouble), BEAT_MS)
const adopting = setInterval(() => void adoptLeft().catch(trouble), BEAT_MS)
if (tasks !== undefined) await submit(Number(tasks))
process.stdin.on('end', () => {
  clearInterval(beating)
  clearInterval(adopting)
  void engine.close().then(() => store.close())
})
process.stdin.resume()

function say(text: string): void {
  writeSync(1, `${text}\n`)
}

function trouble(error: unknown): void {
  say(`trouble ${error instanceof StoreError ? error.code : String(error)}`)
}

/** Lanes of short tasks, each of which leaves a line; every second lane needs the only slot of a pool. */
async function submit(count: number): Promise<void> {
  const file = join(stateDir, 'starts')
  const dag = aDag({
    name: 'lanes',
    tasks: Array.from({ length: count }, (_, index) => {
      const last = index === count - 1
      const work = aTask({ name: 'any' }).work
      if (work.kind !== 'container') throw new Error('a task runs a container')
      const script = `echo t${index} >> '${file}'; sleep ${last ? 1 : `0.0${index % 9}`}`
      return aTask({
        name: `t${index}`,
        runAfter: index < LANES ? [] : [`t${index - LANES}`],
        pool: index % 2 === 0 ? 'one' : null,
        onLost: 'fail',
        work: { ...work, command: ['/bin/sh', '-c', script], args: [], script: null },
      })
    }),
  })
  await store.putDag(dag, dagHash(dag), null, Date.now())
  const run = systemIdentity.id()
  const trigger = { kind: 'manual', key: run, by: host } as const
  const created = { dag: dag.name, dagHash: dagHash(dag), trigger, workdir: stateDir, at: Date.now() }
  await engine.submit(dag, aCreation({ run, name: run, ...created }))
  say(`submitted ${run}`)
}

async function adoptLeft(): Promise<void> {
  const runs = await store.unsettled()
  const engines = new Map((await store.engines()).map(one => [one.id, one]))
  for (const { id, owner } of runs) {
    const other = owner === null ? undefined : engines.get(owner)
    if (owner === me.id || (other !== undefined && probe.isAlive(other))) continue
    if (await engine.adopt(id, owner)) say(`adopted ${id}`)
  }
}
