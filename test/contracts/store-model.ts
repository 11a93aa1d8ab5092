import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { RunEvent } from '../../src/core/run/events.ts'
import { type Append, type Store, StoreError } from '../../src/ports/store.ts'
import { append, attemptRow, ended, runRow, settle, taskRow } from './store-records.ts'

/** What somebody asks for, blind to what is there; the plain model says what must come of it. */
type Step =
  | { readonly do: 'append'; readonly run: string; readonly version: number; readonly engine: string | null }
  | { readonly do: 'start'; readonly run: string; readonly version: number; readonly limit: number }
  | { readonly do: 'end'; readonly run: string; readonly version: number }
  | { readonly do: 'settle'; readonly run: string; readonly version: number }
  | { readonly do: 'claim'; readonly run: string; readonly from: string | null; readonly to: string | null }

interface ModelRun {
  readonly log: RunEvent[]
  owner: string | null
  settled: boolean
  live: boolean
  /** Its one attempt has ended and never comes back. */
  ended: boolean
}

/** Any interleaving of writes on several runs gives what a plain model in memory gives. */
export async function fitsModel(open: () => Promise<Store>, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step(), { minLength: 1, maxLength: 8 }), { maxLength: 12 }),
      async turns => {
        const store = await open()
        const model = new Map<string, ModelRun>()
        for (const turn of turns) {
          const wanted = turn.map(one => expected(model, one))
          const outcomes = await Promise.all(turn.map(one => tried(store, one)))
          assert.deepEqual(outcomes, wanted)
        }
        for (const [id, run] of model) {
          assert.deepEqual(await store.events(id), run.log)
          const { version, owner, phase } = (await store.run(id)) ?? {}
          assert.deepEqual(
            [version, owner, phase],
            [run.log.length, run.owner, run.settled ? 'succeeded' : 'running'],
          )
        }
        const live = [...model.values()].filter(run => run.live).length
        assert.equal((await store.poolUse()).get('gpu') ?? 0, live)
        assert.equal(
          await store.feedEnd(),
          [...model.values()].reduce((sum, run) => sum + run.log.length, 0),
        )
        await store.close()
      },
    ),
    { numRuns },
  )
}

function step(): fc.Arbitrary<Step> {
  const run = fc.constantFrom('a', 'b', 'c')
  const version = fc.nat({ max: 6 })
  const who = fc.constantFrom(null, 'e1', 'e2')
  return fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), run, version, engine: who }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('start' as const),
        run,
        version,
        limit: fc.integer({ min: 0, max: 2 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('end' as const), run, version }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('settle' as const), run, version }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('claim' as const), run, from: who, to: who }) },
  )
}

/** Each run has one attempt that takes a slot; enough to see the pool work. */
function asAppend(one: Exclude<Step, { do: 'claim' }>): Append {
  const attempt = attemptRow(one.run, 't', 1, { pool: 'gpu' })
  const rows = { run: runRow(one.run), tasks: [taskRow(one.run, one.version)], attempts: [attempt] }
  switch (one.do) {
    case 'append':
      return append(one.run, one.version, { engine: one.engine })
    case 'start':
      return append(one.run, one.version, { rows, pools: new Map([['gpu', one.limit]]) })
    case 'end':
      return append(one.run, one.version, { rows: { ...rows, attempts: [ended(attempt)] } })
    case 'settle':
      return settle(one.run, one.version)
  }
}

async function tried(store: Store, one: Step): Promise<string> {
  try {
    if (one.do === 'claim') return String(await store.claim(one.run, one.from, one.to))
    await store.append(asAppend(one))
    return 'written'
  } catch (error) {
    assert.ok(error instanceof StoreError, String(error))
    return error.code
  }
}

/** What is said of a step, which it does to the model. */
function expected(model: Map<string, ModelRun>, one: Step): string {
  const found = model.get(one.run)
  if (one.do === 'claim') {
    const can = found !== undefined && !found.settled && found.owner === one.from
    if (can) found.owner = one.to
    return String(can)
  }
  const engine = one.do === 'append' ? one.engine : null
  if (found === undefined && one.version > 0) return 'VERSION_CONFLICT'
  if (found !== undefined && one.version === 0) return 'DUPLICATE_RUN'
  if (found?.settled === true) return 'TERMINAL'
  if (found !== undefined && engine !== null && found.owner !== engine) return 'NOT_OWNER'
  if (found !== undefined && found.log.length !== one.version) return 'VERSION_CONFLICT'
  const run = found ?? { log: [], owner: engine, settled: false, live: false, ended: false }
  if (one.do === 'start') {
    const others = [...model.values()].filter(other => other !== run && other.live).length
    if (run.ended) return 'TERMINAL'
    if (!run.live && others + 1 > one.limit) return 'POOL_FULL'
    run.live = true
  }
  if (one.do === 'end') {
    run.live = false
    run.ended = true
  }
  if (one.do === 'settle') run.settled = true
  model.set(one.run, run)
  run.log.push(...asAppend(one).events)
  return 'written'
}
