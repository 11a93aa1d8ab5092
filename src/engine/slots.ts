import { admit } from '../core/admission/admit.ts'
import { LIMITS } from '../core/limits.ts'
import { readyPools } from '../core/run/starts.ts'
import type { Driven } from './driven.ts'
import type { EngineParts } from './parts.ts'

/** Slots of a pool. One that nobody sized is a lock. */
export function poolSize({ settings }: EngineParts, name: string): number {
  return settings.pools.get(name) ?? LIMITS.poolSizeDefault
}

/** Whether something of the run waits for a slot. */
export const waits = ({ state }: Driven): boolean => readyPools(state).length > 0

/**
 * Gives free slots to the runs that wait for them; what starts goes to their batches.
 *
 * @param runs      All runs of the engine.
 * @param uncounted Called with an error when the pools cannot be counted now: then nothing takes a slot of one.
 * @param wake      Called with a run that the executor had to prepare something for first.
 * @returns         The runs of which something starts.
 */
export async function fillSlots(
  runs: ReadonlyMap<string, Driven>,
  parts: EngineParts,
  uncounted: (error: unknown) => void,
  wake: (run: string) => void,
): Promise<readonly Driven[]> {
  const waiting = [...runs.values()].filter(isReady)
  if (waiting.length === 0) return []
  const { era } = parts.executor
  const ready = waiting.filter(({ state: { created } }) => {
    const prepared = era === undefined ? null : (parts.executor.prepare?.(era, created.namespace) ?? null)
    void prepared?.then(() => wake(created.run))
    return prepared === null
  })
  if (ready.length === 0) return []
  const pools = await poolRoom(ready, parts).catch((error: unknown) => {
    uncounted(error)
    return new Map<string, number>()
  })
  const used = [...runs.values()].reduce((sum, { state }) => sum + state.work.slots, 0)
  const room = { slots: parts.settings.maxParallel - used, pools, ...(era === undefined ? {} : { era }) }
  // What changed while the pools were counted has its own turn.
  const states = new Map(ready.filter(isReady).map(driven => [driven.state, driven]))
  const started: Driven[] = []
  for (const [state, events] of admit([...states.keys()], parts.clock.now(), room)) {
    const driven = states.get(state)
    if (driven === undefined) continue
    driven.batch.push(...events)
    started.push(driven)
  }
  return started
}

async function poolRoom(ready: readonly Driven[], parts: EngineParts): Promise<Map<string, number>> {
  const names = new Set(ready.flatMap(({ state }) => readyPools(state)).filter(name => name !== ''))
  if (names.size === 0) return new Map()
  const use = await parts.store.poolUse()
  return new Map([...names].map(name => [name, poolSize(parts, name) - (use.get(name) ?? 0)]))
}

const isReady = (driven: Driven): boolean => !driven.busy && !driven.stale && waits(driven)
