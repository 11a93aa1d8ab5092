/**
 * One run of 10,000 and of 100,000 tasks that do nothing, through the whole engine and a SQLite file, on an executor
 * that ends each attempt at once: `node test/bench/engine.ts`. `× 10` near 10 is linear; memory is the process's
 * peak. Name a shape to have its memory alone.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Dag } from '../../src/core/dag/dag.ts'
import { systemClock, systemIdentity } from '../../src/host/clock.ts'
import { dagHash } from '../../src/engine/dag-hash.ts'
import { Engine } from '../../src/engine/engine.ts'
import type { Executor, Observation } from '../../src/ports/executor.ts'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'
import { aCreation, aDag, aTask } from '../model/dags.ts'
import { PLAIN_LANGUAGE } from '../model/plain-language.ts'

const SHAPES: Readonly<Record<string, (count: number) => Dag>> = {
  wide: count => shaped(count, index => (index === 0 ? [] : [0])),
  lanes: count => shaped(count, index => (index < 100 ? [] : [index - 100])),
}

function shaped(count: number, before: (index: number) => readonly number[]): Dag {
  return aDag({
    name: `bench-${count}`,
    tasks: Array.from({ length: count }, (_, index) =>
      aTask({ name: `t${index}`, runAfter: before(index).map(other => `t${other}`) }),
    ),
  })
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

async function timed(dag: Dag): Promise<{ readonly ms: number; readonly megabytes: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'kontroler-bench-'))
  const file = join(folder, 'kontroler.db')
  const store = await openSqliteStore(file)
  const over = Promise.withResolvers<void>()
  const engines: Engine[] = []
  const engine = new Engine({
    store,
    executor: instant(observation => engines[0]?.observe(observation)),
    clock: systemClock,
    identity: systemIdentity,
    values: { secret: async () => null, configMap: async () => null },
    language: PLAIN_LANGUAGE,
    probe: { isAlive: () => true },
    notices: {
      events: (_state, events) => events.some(({ type }) => type === 'runSettled') && over.resolve(),
      trouble: (_code, message) => over.reject(new Error(message)),
    },
    me: { id: 'bench', pid: process.pid, processStart: '', bootId: '', host: '', seenAt: 0 },
    settings: { maxParallel: 64, pools: new Map(), stopGraceMs: 1_000, pollMs: 1_000 },
  })
  engines.push(engine)
  await engine.open()
  const hash = dagHash(dag)
  await store.putDag(dag, hash, null, Date.now())
  const begun = process.hrtime.bigint()
  await engine.submit(dag, {
    ...aCreation(),
    run: systemIdentity.id(),
    dag: dag.name,
    dagHash: hash,
    at: Date.now(),
  })
  await over.promise
  const ms = Number(process.hrtime.bigint() - begun) / 1e6
  await engine.close()
  await store.close()
  const { size } = statSync(file)
  rmSync(folder, { recursive: true })
  return { ms, megabytes: Math.round(size / 1e6) }
}

console.log('shape      10,000    100,000   × 10   tasks/s   database')
for (const [name, shape] of Object.entries(SHAPES)) {
  if (process.argv.length > 2 && !process.argv.includes(name)) continue
  const small = await timed(shape(10_000))
  const large = await timed(shape(100_000))
  const cells = [
    name.padEnd(8),
    `${small.ms.toFixed(0)} ms`.padStart(9),
    `${large.ms.toFixed(0)} ms`.padStart(10),
    (large.ms / small.ms).toFixed(1).padStart(6),
    (100_000_000 / large.ms).toFixed(0).padStart(9),
    `${large.megabytes} MB`.padStart(10),
  ]
  console.log(cells.join(' '))
}
console.log(`peak memory of the process: ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`)
