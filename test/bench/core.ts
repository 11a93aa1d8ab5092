/**
 * How the core behaves with runs of 10,000 and 100,000 tasks that do nothing: `node --expose-gc test/bench/core.ts`.
 * One line a shape; `× 10` is how much longer ten times the tasks take (10 is linear), with all that decides included
 * and nothing else: no store, no executor. `replay` rebuilds the run from its log. Give names of shapes to run only those.
 */
import type { Dag, Task } from '../../src/core/dag/dag.ts'
import { decide } from '../../src/core/run/decide.ts'
import type { RunEvent } from '../../src/core/run/events.ts'
import { evolve, replay } from '../../src/core/run/evolve.ts'
import { observeEnded, observeRunning } from '../../src/core/run/observe.ts'
import { type Room, decideStarts } from '../../src/core/run/starts.ts'
import { type RunState, isTerminal, newRunState, taskByKey } from '../../src/core/run/state.ts'
import { takeChangedRows } from '../../src/core/run/to-rows.ts'
import { aCreation, aDag, aTask } from '../model/dags.ts'
import { outcomeOf } from '../model/drive.ts'
import { PLAIN_LANGUAGE } from '../model/plain-language.ts'

const SLOTS = 64

const SHAPES: Readonly<Record<string, (count: number) => Dag>> = {
  chain: count => dag(count, index => (index === 0 ? [] : [index - 1])),
  wide: count => dag(count, index => (index === 0 ? [] : [0])),
  fanIn: count => dag(count, index => (index === count - 1 ? range(0, index) : [])),
  anyFanIn: count =>
    dag(count, index => (index === count - 1 ? range(0, index) : []), { triggerRule: 'anyFailed' }),
  layers: count => dag(count, index => layered(index, Math.floor(count / 10))),
  lanes: count => dag(count, index => (index < 100 ? [] : [index - 100])),
  unconnected: count => dag(count, () => []),
  pools: count => dag(count, index => (index < 100 ? [] : [index - 100]), { pools: 50 }),
  failing: count => dag(count, index => (index === 0 ? [] : [index - 1]), { firstFails: true }),
  retries: count => dag(count, () => [], { retries: true }),
  fanOut: count => fanOut(count, null),
  fanOutLimited: count => fanOut(count, 20),
}

function main(wanted: readonly string[]): void {
  console.log('shape             10,000     100,000      × 10   events     heap  a completion    replay')
  for (const [name, shape] of Object.entries(SHAPES)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    const small = best(shape(10_000), 5)
    const large = best(shape(100_000), 3)
    const columns = [
      name.padEnd(14),
      `${small.ms.toFixed(0)} ms`.padStart(9),
      `${large.ms.toFixed(0)} ms`.padStart(11),
      (large.ms / small.ms).toFixed(1).padStart(9),
      String(large.events).padStart(8),
      `${(large.heapBytes / 2 ** 20).toFixed(0)} MB`.padStart(8),
      `${((large.ms / 100_000) * 1000).toFixed(1)} µs`.padStart(12),
      `${large.replayMs.toFixed(0)} ms`.padStart(9),
    ]
    console.log(columns.join(' '))
  }
}

/** The quickest of several: what else the machine does only ever adds. */
function best(dag: Dag, times: number): Measured {
  const all = Array.from({ length: times }, () => measure(dag))
  return all.reduce((quickest, one) => (one.ms < quickest.ms ? one : quickest))
}

/** Time that this process used, so that others on the machine do not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

interface Measured {
  readonly ms: number
  readonly events: number
  /** Of the state at the run's end and of its whole log, beside the DAG itself. */
  readonly heapBytes: number
  readonly replayMs: number
}

function measure(dag: Dag): Measured {
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const start = cpuMs()
  const { state, log } = drive(dag)
  const ms = cpuMs() - start
  globalThis.gc?.()
  const heapBytes = process.memoryUsage().heapUsed - before
  // The state must live until here, or the measure would miss it.
  if (!isTerminal(state.phase)) throw new Error('the run has not ended')
  const replayStart = cpuMs()
  const replayed = replay(dag, log)
  const replayMs = cpuMs() - replayStart
  if (replayed.version !== state.version) throw new Error('the replay is not the run')
  return { ms, events: log.length, heapBytes, replayMs }
}

function drive(dag: Dag): { readonly state: RunState; readonly log: readonly RunEvent[] } {
  const created = aCreation()
  const state = newRunState(dag, created)
  const log: RunEvent[] = [created]
  const live: string[] = []
  let now = 0
  const apply = (event: RunEvent): void => {
    log.push(event)
    evolve(state, event)
    if (event.type === 'attemptStarted') live.push(event.task)
  }
  for (let next = 0; ; next += 1) {
    now += 1
    for (let more = decide(state, now, PLAIN_LANGUAGE); more.length > 0; ) {
      more.forEach(apply)
      more = decide(state, now, PLAIN_LANGUAGE)
    }
    const room: Room = { slots: SLOTS - state.work.slots, pools: new Map(), otherPools: 1 }
    decideStarts(state, now, room).forEach(apply)
    takeChangedRows(state)
    const key = live[next]
    if (key === undefined) return { state, log }
    const attempt = taskByKey(state, key).attempts.length
    observeRunning(state, key, attempt, now, null).forEach(apply)
    const fails = key === 'fails' || (key.startsWith('retried') && attempt === 1)
    observeEnded(state, key, attempt, now, outcomeOf(fails ? 'exitCode' : 'succeeded')).forEach(apply)
  }
}

interface Rest {
  readonly triggerRule?: Task['triggerRule']
  readonly pools?: number
  readonly firstFails?: boolean
  readonly retries?: boolean
}

function dag(count: number, before: (index: number) => readonly number[], rest: Rest = {}): Dag {
  const prefix = rest.retries === true ? 'retried' : 't'
  const name = (index: number): string =>
    index === 0 && rest.firstFails === true ? 'fails' : `${prefix}${index}`
  const retry = { ...aTask({ name: '' }).retry, limit: rest.retries === true ? 1 : 0 }
  const tasks = range(0, count).map(index =>
    aTask({
      name: name(index),
      runAfter: before(index).map(name),
      triggerRule: rest.triggerRule !== undefined && index === count - 1 ? rest.triggerRule : 'allSucceeded',
      pool: rest.pools === undefined ? null : `p${index % rest.pools}`,
      retry,
    }),
  )
  return aDag({ tasks })
}

/** Each task waits for three of the layer before it. */
function layered(index: number, width: number): readonly number[] {
  if (index < width) return []
  const layer = Math.floor(index / width) * width
  return [0, 1, 2].map(step => layer - width + ((index - layer + step) % width))
}

/** Two fan-outs, as one has at most half of the tasks that a run has. */
function fanOut(count: number, maxParallel: number | null): Dag {
  const items = range(0, count / 2 - 1)
  const over = { kind: 'list' as const, items }
  return aDag({
    tasks: [
      aTask({ name: 'a', fanOut: { over, maxParallel } }),
      aTask({ name: 'b', fanOut: { over, maxParallel }, runAfter: ['a'] }),
    ],
  })
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

main(process.argv.slice(2))
