import type { Dag } from '../core/dag/dag.ts'
import type { Problem } from '../core/problem.ts'
import { nextTick } from '../core/schedule/cron.ts'
import { inWords } from '../core/schedule/words.ts'
import type { StoredRun } from '../ports/store.ts'
import type { DagStatus } from '../spec/schema/status.ts'
import type { ClusterObject } from './cluster.ts'
import { type Standing, conditionsSince, fieldOf, moment, standingConditions } from './conditions.ts'
import { problemText } from './problem-text.ts'

/** Runs that a DAG's status names. */
export const LAST_RUNS_MAX = 5

export interface DagFacts {
  readonly problems: readonly Problem[]
  /** What is in force: made of this text, or of an earlier one when this has problems. Null when nothing is. */
  readonly inForce: { readonly dag: Dag; readonly version: number } | null
  /** Newest first. */
  readonly lastRuns: readonly StoredRun[]
  readonly activeRuns: number
}

export function dagStatus(object: ClusterObject, facts: DagFacts, now: number): DagStatus {
  const { problems, inForce, lastRuns, activeRuns } = facts
  const standing = standingOfDag(problems)
  const words = wordsOf(problems, inForce?.version ?? null)
  const [newest] = lastRuns
  const dag = inForce?.dag ?? null
  const next = dag === null || dag.suspended ? null : nextOf(dag, now)
  const last = lastTick(lastRuns) ?? fieldOf(object.status, 'lastScheduleTime')
  return {
    observedGeneration: object.metadata.generation,
    phase: PHASES[standing],
    message: words.message,
    ...(inForce === null ? {} : { version: inForce.version }),
    ...(dag === null || dag.schedules.length === 0 ? {} : { schedule: scheduleWords(dag) }),
    ...(next === null ? {} : { nextScheduleTime: moment(next) }),
    ...(typeof last === 'string' ? { lastScheduleTime: last } : {}),
    activeRuns,
    ...(newest === undefined ? {} : { lastRunPhase: newest.phase, lastRunTime: moment(newest.createdAt) }),
    lastRuns: lastRuns.slice(0, LAST_RUNS_MAX).map(run => ({
      name: run.name,
      phase: run.phase,
      ...(run.startedAt === null ? {} : { startTime: moment(run.startedAt) }),
      ...(run.endedAt === null ? {} : { completionTime: moment(run.endedAt) }),
    })),
    conditions: [
      ...conditionsSince(
        standingConditions(standing, words.reason, words.message),
        fieldOf(object.status, 'conditions'),
        object.metadata.generation,
        now,
      ),
    ],
  }
}

/** Words of earlier versions for what was accepted and what was not. */
const PHASES: Readonly<Record<Standing, string>> = {
  current: 'Successful',
  inProgress: 'Pending',
  stalled: 'Failed',
}

/** What is not there yet may come: a DAG and its DagTasks are applied in any order. */
const COMING: ReadonlySet<string> = new Set(['TASK_REF_UNKNOWN', 'TASK_REF_VERSION'])

export function standingOfDag(problems: readonly Problem[]): Standing {
  const errors = problems.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return 'current'
  return errors.every(({ code }) => COMING.has(code)) ? 'inProgress' : 'stalled'
}

function wordsOf(problems: readonly Problem[], version: number | null): { reason: string; message: string } {
  if (standingOfDag(problems) !== 'current') {
    const { reason, message } = problemText(problems)
    const kept = version === null ? '' : `; version ${version} stays in force`
    return { reason, message: `${message}${kept}` }
  }
  const warnings = problems.map(({ code, message }) => `${code}: ${message}`)
  const first = warnings.length === 0 ? '' : `; warning ${warnings[0] ?? ''}`
  const more = warnings.length > 1 ? ` (and ${warnings.length - 1} more)` : ''
  return { reason: 'Accepted', message: `version ${version ?? 1} is in force${first}${more}` }
}

function scheduleWords(dag: Dag): string {
  return dag.schedules.map(text => inWords(text, dag.timeZone)).join('; ')
}

function nextOf(dag: Dag, now: number): number | null {
  const ticks = dag.schedules.flatMap(text => nextTick(text, dag.timeZone, now) ?? [])
  return ticks.length === 0 ? null : Math.min(...ticks)
}

function lastTick(runs: readonly StoredRun[]): string | null {
  for (const { trigger } of runs) if (trigger.kind === 'schedule') return moment(trigger.scheduledTime)
  return null
}
