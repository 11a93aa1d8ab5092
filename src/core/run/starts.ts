import type { Heap } from '../heap.ts'
import type { RunEvent } from './events.ts'
import { type ReadyEntry, type RunState, isTerminal, taskAt } from './state.ts'

/** How many attempts may start now, from outside the run: of this engine, and of each pool (`''` has no limit). */
export interface Room {
  slots: number
  readonly pools: Map<string, number>
}

/** A room that never says no. */
export function endlessRoom(): Room {
  return { slots: Number.POSITIVE_INFINITY, pools: new Map() }
}

/**
 * Starts as many ready tasks as the run's own limit and the room allow, best first: larger priority, then earlier
 * ready. What it starts is taken out of the room. A pool that is full holds back its own tasks only.
 */
export function decideStarts(state: RunState, now: number, room: Room): readonly RunEvent[] {
  if (isTerminal(state.phase) || state.phase === 'queued' || state.paused) return []
  const events: RunEvent[] = []
  const limits = [state.dag.maxParallelTasks, state.created.maxParallelTasks].filter(limit => limit !== null)
  let free = Math.min(...limits, Number.POSITIVE_INFINITY) - state.work.slots
  for (;;) {
    const best = bestReady(state, room, free)
    if (best === null) return events
    best.heap.pop()
    const task = taskAt(state, best.entry.task)
    if (task.task.work.kind === 'container') {
      free -= 1
      room.slots -= 1
      if (best.pool !== '') room.pools.set(best.pool, (room.pools.get(best.pool) ?? 0) - 1)
    }
    events.push({ type: 'attemptStarted', at: now, task: task.key, attempt: task.attempts.length + 1 })
  }
}

/** Ready tasks per pool that could start if there were room; what an engine asks pools and slots for. */
export function readyPools(state: RunState): readonly string[] {
  return [...state.work.ready]
    .filter(([, heap]) => firstValid(state, heap) !== undefined)
    .map(([pool]) => pool)
}

interface Best {
  readonly heap: Heap<ReadyEntry>
  readonly entry: ReadyEntry
  readonly pool: string
}

function bestReady(state: RunState, room: Room, free: number): Best | null {
  let best: Best | null = null
  for (const [pool, heap] of state.work.ready) {
    const entry = firstValid(state, heap)
    if (entry === undefined) continue
    // Sub-DAGs take no slot here: their own tasks do.
    const takesSlot = taskAt(state, entry.task).task.work.kind === 'container'
    if (takesSlot && (free <= 0 || room.slots <= 0 || (pool !== '' && (room.pools.get(pool) ?? 0) <= 0)))
      continue
    if (best === null || isBetter(entry, best.entry)) best = { heap, entry, pool }
  }
  return best
}

function isBetter(a: ReadyEntry, b: ReadyEntry): boolean {
  return a.priority > b.priority || (a.priority === b.priority && a.sequence < b.sequence)
}

/** Entries of tasks that were cancelled or started meanwhile are thrown away here. */
function firstValid(state: RunState, heap: Heap<ReadyEntry>): ReadyEntry | undefined {
  for (let first = heap.peek(); first !== undefined; first = heap.peek()) {
    const task = taskAt(state, first.task)
    if (task.state === 'queued' && task.readySequence === first.sequence) return first
    heap.pop()
  }
  return undefined
}
