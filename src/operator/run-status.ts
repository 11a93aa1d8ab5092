import type { Json } from '../core/json.ts'
import type { RunPhase, TaskRow } from '../core/run/rows.ts'
import { isTerminal } from '../core/run/state.ts'
import { numberOfRun } from '../engine/run-number.ts'
import type { StoredRun } from '../ports/store.ts'
import type { Condition, DagRunStatus, TaskStatus } from '../spec/schema/status.ts'
import type { ClusterObject } from './cluster.ts'
import {
  type Standing,
  type Wanted,
  conditionsOf,
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
  /** Those that failed first, then those that wait for a person, then those under way. */
  readonly tasks: readonly TaskRow[]
  /** Why it waits, in a sentence; null when that is not known here. */
  readonly waits: { readonly code: string; readonly sentence: string } | null
}

/** Why something is as it is: a word for programs, and a sentence. */
export interface Words {
  readonly reason: string
  readonly message: string
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
  why: Words,
  now: number,
): DagRunStatus {
  return {
    observedGeneration: object.metadata.generation,
    phase: 'pending',
    reason: why.reason,
    message: shortened(why.message),
    conditions: withoutRun(object, standing, why, { Succeeded: 'Unknown', Complete: 'False' }, now),
  }
}

/** The last status of a DagRun that was cancelled before it had a run. */
export function neverBegunStatus(object: ClusterObject, message: string, now: number): DagRunStatus {
  const why = { reason: 'Cancelled', message }
  return {
    observedGeneration: object.metadata.generation,
    phase: 'cancelled',
    reason: 'CANCELLED',
    message: shortened(message),
    completionTime: moment(now),
    conditions: withoutRun(object, 'stalled', why, { Succeeded: 'False', Complete: 'True' }, now),
  }
}

function withoutRun(
  object: ClusterObject,
  standing: Standing,
  { reason, message }: Words,
  ends: Readonly<Record<'Succeeded' | 'Complete', Wanted['status']>>,
  now: number,
): Condition[] {
  const words = { reason, message: shortened(message) }
  const wanted: readonly Wanted[] = [
    ...standingConditions(standing, reason, message),
    { type: 'Succeeded', status: ends.Succeeded, ...words },
    { type: 'Complete', status: ends.Complete, ...words },
  ]
  const { generation } = object.metadata
  return [...conditionsSince(wanted, fieldOf(object.status, 'conditions'), generation, now)]
}

/**
 * The status of a DagRun that is finished and whose text was changed while it ended (later, the API server takes no
 * change): the same, and that the change was seen. Without it, kstatus would wait for ever. Null when that was said.
 */
export function observedStatus({ metadata: { generation }, status }: ClusterObject): object | null {
  if (fieldOf(status, 'observedGeneration') === generation) return null
  const seen = (condition: Condition): Condition => ({ ...condition, observedGeneration: generation })
  return { ...asRecord(status), observedGeneration: generation, conditions: conditionsOf(status).map(seen) }
}

const asRecord = (value: Json): Readonly<Record<string, Json>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, Json>>)
    : {}

/** Why a run waits is known to the engine that drives it; what that one said of it stands as long as the phase does. */
function saidBefore({ status }: ClusterObject, run: StoredRun): RunFacts['waits'] {
  const [code, sentence] = [fieldOf(status, 'reason'), fieldOf(status, 'message')]
  if (fieldOf(status, 'phase') !== run.phase || typeof code !== 'string' || typeof sentence !== 'string')
    return null
  return { code, sentence }
}

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
