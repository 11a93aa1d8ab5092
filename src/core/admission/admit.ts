import type { RunEvent } from '../run/events.ts'
import { evolve } from '../run/evolve.ts'
import { type Room, decideStarts, readyPriority } from '../run/starts.ts'
import type { RunState } from '../run/state.ts'

/**
 * Shares the room among several runs and starts what fits, changing their states: runs whose best waiting task has the
 * larger priority first; among equals every run gets its turn, so that a fan-out of thousands does not starve a small
 * run beside it.
 *
 * @returns  The facts of each run that started something, in the order of `runs`.
 */
export function admit(
  runs: readonly RunState[],
  now: number,
  room: Room,
): ReadonlyMap<RunState, readonly RunEvent[]> {
  const started = new Map<RunState, RunEvent[]>()
  const priorities = new Map(runs.map(run => [run, readyPriority(run)]))
  const priority = (run: RunState | undefined): number => (run === undefined ? 0 : (priorities.get(run) ?? 0))
  const sorted = runs.toSorted(
    (a, b) =>
      priority(b) - priority(a) || a.created.at - b.created.at || (a.created.run < b.created.run ? -1 : 1),
  )
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1
    while (to < sorted.length && priority(sorted[to]) === priority(sorted[from])) to += 1
    admitEquals(sorted.slice(from, to), now, room, started)
    from = to
  }
  return started
}

function admitEquals(
  runs: readonly RunState[],
  now: number,
  room: Room,
  started: Map<RunState, RunEvent[]>,
): void {
  for (let open = runs; open.length > 0; ) {
    const share = open.length === 1 ? room.slots : Math.max(1, Math.floor(room.slots / open.length))
    open = open.filter(run => {
      const part: Room = { ...room, slots: Math.min(share, room.slots) }
      const before = part.slots
      const events = decideStarts(run, now, part)
      for (const event of events) evolve(run, event)
      room.slots -= before - part.slots
      if (events.length > 0) started.set(run, [...(started.get(run) ?? []), ...events])
      return events.length > 0
    })
  }
}
