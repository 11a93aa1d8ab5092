import type { Problem } from '../core/problem.ts'
import { evolve, replay } from '../core/run/evolve.ts'
import { type RunRequest, answer } from '../core/run/requests.ts'
import { type RunState, isTerminal } from '../core/run/state.ts'
import { takeChangedRows } from '../core/run/to-rows.ts'
import { type Store, StoreError } from '../ports/store.ts'
import type { EngineParts } from './parts.ts'

/** Reads a run from its log. Null when there is none. */
export async function loadRun(store: Store, run: string): Promise<RunState | null> {
  const events = await store.events(run)
  const [first] = events
  if (first?.type !== 'runCreated') return null
  const stored = await store.dagByHash(first.dagHash)
  if (stored === null)
    throw new StoreError('DATABASE_CORRUPT', `run ${run}: its DAG version is not in the store`)
  const state = replay(stored.dag, events)
  state.work.changed.clear()
  return state
}

/**
 * Makes this engine the owner of a run and reads it. Null when somebody else was faster, or nothing is left to do.
 *
 * @param owner  Who owned it when that engine was found dead.
 */
export async function takeOver(
  { store, me }: EngineParts,
  run: string,
  owner: string | null,
): Promise<RunState | null> {
  if (!(await store.claim(run, owner, me.id))) return null
  try {
    const state = await loadRun(store, run)
    if (state !== null && !isTerminal(state.phase)) return state
  } catch (error) {
    // Owned by an engine that lives and does not drive it, nobody else would ever take it.
    await store.claim(run, me.id, null).catch(() => false)
    throw error
  }
  await store.claim(run, me.id, null)
  return null
}

/**
 * Passes on what a person wants to a run that another engine drives, or none: the fact goes into the log, and
 * whoever drives the run sees it there. Null when it was done.
 */
export async function requestStored(
  store: Store,
  run: string,
  request: RunRequest,
  now: () => number,
): Promise<Problem | null> {
  for (;;) {
    const state = await loadRun(store, run)
    if (state === null) {
      return {
        code: 'UNKNOWN_RUN',
        severity: 'error',
        path: [],
        message: `there is no run ${run}`,
        fix: 'see kontroler list',
      }
    }
    const before = state.version
    const answered = answer(state, request, now())
    if (!answered.ok) return answered.problem
    if (answered.events.length === 0) return null
    for (const event of answered.events) evolve(state, event)
    const append = { run, version: before, events: answered.events, rows: takeChangedRows(state) }
    try {
      await store.append({ ...append, engine: null, pools: new Map() })
      return null
    } catch (error) {
      // Somebody was faster, perhaps with the end of the run: the next look says so.
      if (!(error instanceof StoreError) || !FASTER.has(error.code)) throw error
    }
  }
}

const FASTER: ReadonlySet<string> = new Set(['VERSION_CONFLICT', 'TERMINAL'])
