import { Heap } from '../heap.ts'
import type { RunEvent } from './events.ts'
import { type ReadyEntry, type RunState, isBefore, isTerminal, taskAt } from './state.ts'

/** How many attempts may start now, from outside the run: of this engine, and of each pool (`''` has no limit). */
export interface Room {
  slots: number
  readonly pools: Map<string, number>
  /** Room of each pool that `pools` does not name. Default 0. */
  readonly otherPools?: number
  /** Era of the executor that will start them, when it has one. */
  readonly era?: string
}

/** A room that never says no. */
export function endlessRoom(): Room {
  return {
    slots: Number.POSITIVE_INFINITY,
    pools: new Map(),
    otherPools: Number.POSITIVE_INFINITY,
  }
}

/**
 * Starts as many ready tasks as the run's own limit and the room allow, best first: larger priority, then earlier
 * ready. What it starts is taken out of the room. A pool that is full holds back its own tasks only, and a task that
 * starts another run needs no room at all.
 */
export function decideStarts(state: RunState, now: number, room: Room): readonly RunEvent[] {
  if (isTerminal(state.phase) || state.phase === 'queued' || state.paused) return []
  // A stop that was asked for but not carried out yet: nothing may start behind its back.
  if (state.stop !== null && !state.work.stopApplied) return []
  const started: ReadyEntry[] = []
  takeWithoutSlot(state, started)
  takeWithSlot(state, room, started)
  return started
    .toSorted((a, b) => (isBefore(a, b) ? -1 : 1))
    .map(({ task: index }) => {
      const { key, attempts } = taskAt(state, index)
      const started = { type: 'attemptStarted' as const, at: now, task: key, attempt: attempts.length + 1 }
      return room.era === undefined ? started : { ...started, era: room.era }
    })
}

/** The largest priority among the tasks that wait for slots; the run's own when none does. */
export function readyPriority(state: RunState): number {
  const heaps = [...state.work.ready.values(), state.work.readyWithoutSlot]
  const waiting = heaps.flatMap(heap => firstReady(state, heap) ?? [])
  return waiting.length === 0 ? state.created.priority : Math.max(...waiting.map(({ priority }) => priority))
}

/** Pools that ready tasks wait for (`''` for none); what an engine asks pools and slots for. */
export function readyPools(state: RunState): readonly string[] {
  const pools = [...state.work.ready.keys()].filter(
    pool => firstReady(state, state.work.ready.get(pool)) !== undefined,
  )
  const without = !pools.includes('') && firstReady(state, state.work.readyWithoutSlot) !== undefined
  return without ? ['', ...pools] : pools
}

function takeWithoutSlot(state: RunState, started: ReadyEntry[]): void {
  const heap = state.work.readyWithoutSlot
  for (let first = firstReady(state, heap); first !== undefined; first = firstReady(state, heap)) {
    heap.pop()
    started.push(first)
  }
}

interface Head {
  readonly pool: string
  readonly entry: ReadyEntry
}

/** Every pool offers its best task; the best of these is taken, and its pool offers the next. */
function takeWithSlot(state: RunState, room: Room, started: ReadyEntry[]): void {
  let free = runLimit(state) - state.work.slots
  const heads = new Heap<Head>((a, b) => isBefore(a.entry, b.entry))
  const offer = (pool: string): void => {
    const heap = state.work.ready.get(pool)
    const entry = firstReady(state, heap)
    if (entry !== undefined) heads.push({ pool, entry })
    // An empty heap goes, so that a run of many pools looks at those that matter only.
    else state.work.ready.delete(pool)
  }
  for (const pool of state.work.ready.keys()) offer(pool)
  while (free > 0 && room.slots > 0) {
    const best = heads.pop()
    if (best === undefined) return
    const { pool, entry } = best
    if (pool !== '') {
      const places = room.pools.get(pool) ?? room.otherPools ?? 0
      if (places <= 0) continue
      room.pools.set(pool, places - 1)
    }
    free -= 1
    room.slots -= 1
    state.work.ready.get(pool)?.pop()
    started.push(entry)
    offer(pool)
  }
}

/** Most attempts of the run that may hold a slot at once; Infinity for no limit. */
export function runLimit(state: RunState): number {
  return Math.min(
    state.dag.maxParallelTasks ?? Number.POSITIVE_INFINITY,
    state.created.maxParallelTasks ?? Number.POSITIVE_INFINITY,
  )
}

/** Entries of tasks that were cancelled or started meanwhile are thrown away here. */
function firstReady(state: RunState, heap: Heap<ReadyEntry> | undefined): ReadyEntry | undefined {
  for (let first = heap?.peek(); first !== undefined; first = heap?.peek()) {
    const task = taskAt(state, first.task)
    if (task.state === 'queued' && task.readySequence === first.sequence) return first
    heap?.pop()
  }
  return undefined
}
