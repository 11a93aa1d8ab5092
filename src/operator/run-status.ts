import type { Json } from '../core/json.ts'
import type { RunPhase, TaskRow } from '../core/run/rows.ts'
import { isTerminal } from '../core/run/state.ts'
import { numberOfRun } from '../engine/run-number.ts'
import type { StoredRun } from '../ports/store.ts'
import type { DagRunStatus, TaskStatus } from '../spec/schema/status.ts'
import type { ClusterObject } from './cluster.ts'
import {
  type Standing,
  type Wanted,
  conditionsSince,
  fieldOf,
  moment,
  shortened,
  standingConditions,
} from './conditions.ts'

/** Tasks that a status names. */
export const TASKS_SHOWN_MAX = 20
/** Bytes of a status as JSON, at most; far below what an object may have. */
export const STATUS_BYTES_MAX = 32_768
const TASK_MESSAGE_LENGTH_MAX = 200

/** What a status is made from: rows as they are in the store. */
export interface RunFacts {
  readonly run: StoredRun
  readonly dagVersion: number | null
  /** Those that failed first, then those under way. */
  readonly tasks: readonly TaskRow[]
  /** Why it waits, in a sentence; null when that is not known here. */
  readonly waits: { readonly code: string; readonly sentence: string } | null
}

/** The status of a DagRun whose run has begun. */
export function runStatus(object: ClusterObject, facts: RunFacts, now: number): DagRunStatus {
  const { run, dagVersion } = facts
  const over = isTerminal(run.phase)
  const said = over ? null : (facts.waits ?? saidBefore(object, run))
  const message = said?.sentence ?? run.message
  const reason = said?.code ?? run.reason
  const status: DagRunStatus = {
    observedGeneration: object.metadata.generation,
    dagRunId: numberOfRun(run.id, run.createdAt),
    runId: run.id,
    phase: run.phase,
    ...(reason === null ? {} : { reason }),
    message: shortened(message),
    progress: `${run.tasksDone}/${run.tasksTotal}`,
    ...(dagVersion === null ? {} : { dagVersion }),
    ...(run.startedAt === null ? {} : { startTime: moment(run.startedAt) }),
    ...(run.endedAt === null ? {} : { completionTime: moment(run.endedAt) }),
    ...(run.endedAt === null
      ? {}
      : { duration: durationText(run.endedAt - (run.startedAt ?? run.createdAt)) }),
    tasks: facts.tasks.slice(0, TASKS_SHOWN_MAX).map(taskStatus),
    conditions: [
      ...conditionsSince(
        [...standingConditions(standingOf(run.phase), wordOf(run.phase), message), ...ends(run, message)],
        fieldOf(object.status, 'conditions'),
        object.metadata.generation,
        now,
      ),
    ],
  }
  return bounded(status)
}

/** The status of a DagRun that has no run: it waits for something, is wrong, or was cancelled before it began. */
export function pendingStatus(
  object: ClusterObject,
  standing: Standing,
  why: { readonly reason: string; readonly message: string },
  now: number,
): DagRunStatus {
  const { reason, message } = why
  const words = { reason, message: shortened(message) }
  const ends: readonly Wanted[] = [
    { type: 'Succeeded', status: 'Unknown', ...words },
    { type: 'Complete', status: 'False', ...words },
  ]
  return {
    observedGeneration: object.metadata.generation,
    phase: 'pending',
    reason,
    message: shortened(message),
    conditions: [
      ...conditionsSince(
        [...standingConditions(standing, reason, message), ...ends],
        fieldOf(object.status, 'conditions'),
        object.metadata.generation,
        now,
      ),
    ],
  }
}

/** The last status of a DagRun that was cancelled before it had a run. */
export function neverBegunStatus(object: ClusterObject, message: string, now: number): DagRunStatus {
  const status = pendingStatus(object, 'stalled', { reason: 'Cancelled', message }, now)
  const conditions = (status.conditions ?? []).map(condition => ({
    ...condition,
    status: ENDS[condition.type] ?? condition.status,
  }))
  return { ...status, phase: 'cancelled', reason: 'CANCELLED', completionTime: moment(now), conditions }
}

/** Why a run waits is known to the engine that drives it; what that one said of it stands as long as the phase does. */
function saidBefore({ status }: ClusterObject, run: StoredRun): RunFacts['waits'] {
  const [code, sentence] = [fieldOf(status, 'reason'), fieldOf(status, 'message')]
  if (fieldOf(status, 'phase') !== run.phase || typeof code !== 'string' || typeof sentence !== 'string')
    return null
  return { code, sentence }
}

const ENDS: Readonly<Record<string, 'True' | 'False'>> = { Complete: 'True', Succeeded: 'False' }

/** Whether an object says itself that its run is over: then it is never run, whatever the database says. */
export function saysFinished(status: Json): boolean {
  return typeof fieldOf(status, 'completionTime') === 'string'
}

/** A run that ended other than well is not going to change by itself: as of a Job, that is a failure. */
function standingOf(phase: RunPhase): Standing {
  if (phase === 'succeeded') return 'current'
  return isTerminal(phase) ? 'stalled' : 'inProgress'
}

function ends(run: StoredRun, message: string): readonly Wanted[] {
  const over = isTerminal(run.phase)
  const status = run.phase === 'succeeded' ? 'True' : over ? 'False' : 'Unknown'
  const words = { reason: wordOf(run.phase), message: shortened(message) }
  return [
    { type: 'Succeeded', status, ...words },
    { type: 'Complete', status: over ? 'True' : 'False', ...words },
  ]
}

/** `Running`: reasons of conditions are words in camel case. */
const wordOf = (phase: RunPhase): string => `${phase.charAt(0).toUpperCase()}${phase.slice(1)}`

function taskStatus(row: TaskRow): TaskStatus {
  return {
    name: row.task,
    state: row.state,
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.message === null || row.message === ''
      ? {}
      : { message: shortened(row.message, TASK_MESSAGE_LENGTH_MAX) }),
    ...(row.exitCode === null ? {} : { exitCode: row.exitCode }),
    ...(row.attempts === 0 ? {} : { attempts: row.attempts }),
  }
}

/** Messages are bounded in characters, a status in bytes: what is too much goes from the end of the tasks. */
function bounded(status: DagRunStatus): DagRunStatus {
  let tasks = status.tasks ?? []
  while (tasks.length > 0 && bytesOf({ ...status, tasks }) > STATUS_BYTES_MAX) tasks = tasks.slice(0, -1)
  return { ...status, tasks }
}

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

/** `45s`, `3m20s`, `2h5m`: the two largest units that are not zero. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const units = [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ] as const
  let rest = seconds
  const parts: string[] = []
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size)
    if (count > 0) parts.push(`${count}${unit}`)
    rest -= count * size
  }
  return parts.slice(0, 2).join('') || '0s'
}
