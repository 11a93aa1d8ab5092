import { type Append, StoreError } from '../ports/store.ts'

/** What the database says about everything that one append rests on, while it is locked. */
export interface Seen {
  /** The run's row; null when there is none. */
  readonly run: { readonly phase: string; readonly version: number; readonly owner: string | null } | null
  /** The run that the trigger key has made; null when none. Looked at for a new run only. */
  readonly keyed: string | null
  /** The mark of the schedule that it moves; null when never moved, or not asked for. */
  readonly mark: number | null
  /** Live attempts of each pool that has a limit, over all runs. */
  readonly live: ReadonlyMap<string, number>
  /** What this append would add to them; below zero where it ends some. */
  readonly added: ReadonlyMap<string, number>
}

const SETTLED: readonly string[] = ['succeeded', 'failed', 'cancelled']

/** Why an append is refused, the reason that cannot be mended by loading again first; null when it may be written. */
export function judge(append: Append, seen: Seen): StoreError | null {
  return (append.version === 0 ? newRun(append, seen) : nextFacts(append, seen)) ?? fullPool(append, seen)
}

function newRun(append: Append, seen: Seen): StoreError | null {
  const { id, trigger, namespace, dag } = append.rows.run
  if (seen.keyed !== null)
    return new StoreError(
      'DUPLICATE_RUN',
      `the ${trigger.kind} trigger "${trigger.key}" has made run ${seen.keyed} already`,
      { existing: seen.keyed },
    )
  if (seen.run !== null) return new StoreError('DUPLICATE_RUN', `run ${id} exists already`, { existing: id })
  if (append.advance !== undefined && !mayAdvance(seen.mark, append.advance))
    return new StoreError(
      'VERSION_CONFLICT',
      `the schedule of ${namespace}/${dag} was moved past this tick meanwhile; look at it again`,
    )
  return null
}

/** Whether nobody has dealt with these ticks yet. */
function mayAdvance(mark: number | null, advance: NonNullable<Append['advance']>): boolean {
  return mark === null || (mark < advance.highWater && advance.skips.every(skip => skip.from > mark))
}

function nextFacts(append: Append, { run }: Seen): StoreError | null {
  if (run === null) return new StoreError('VERSION_CONFLICT', `run ${append.run} does not exist`)
  if (SETTLED.includes(run.phase))
    return new StoreError('TERMINAL', `run ${append.run} is ${run.phase} and takes nothing more`)
  if (append.engine !== null && run.owner !== append.engine)
    return new StoreError('NOT_OWNER', `run ${append.run} is driven by ${run.owner ?? 'nobody'} now`)
  if (run.version !== append.version)
    return new StoreError(
      'VERSION_CONFLICT',
      `run ${append.run} is at ${run.version}, this was decided at ${append.version}`,
    )
  return null
}

/** An append may end attempts of a pool whose limit was lowered; it may not add to it. */
function fullPool(append: Append, { live, added }: Seen): StoreError | null {
  for (const pool of startedPools(append)) {
    const before = live.get(pool) ?? 0
    const limit = append.pools.get(pool) ?? Number.POSITIVE_INFINITY
    const more = added.get(pool) ?? 0
    if (more > 0 && before + more > limit)
      return new StoreError('POOL_FULL', `pool ${pool} has ${before} of ${limit} slots in use`)
  }
  return null
}

/** Pools with a limit that this append has live attempts in. */
export function startedPools({ rows, pools }: Append): ReadonlySet<string> {
  return new Set(
    rows.attempts.flatMap(({ phase, pool }) =>
      phase !== 'ended' && pool !== null && pools.has(pool) ? [pool] : [],
    ),
  )
}
