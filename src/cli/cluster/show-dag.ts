import type { Condition } from '../../spec/schema/status.ts'
import { moment } from '../../core/run/run-data.ts'
import { ago, dateTime, duration, mark, type Paint, painter, printable } from '../show/text.ts'
import type { DagObject } from './dag-object.ts'
import { timeOf } from './run-object.ts'
import type { RunPhase } from '../../core/run/rows.ts'

/** What a DAG says of itself, for programs. */
export function dagData({ metadata, spec, status = {} }: DagObject, now: number) {
  const [last] = status.lastRuns ?? []
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    version: status.version ?? null,
    phase: status.phase ?? null,
    message: status.message ?? null,
    schedule: status.schedule ?? null,
    schedules: scheduleTexts(spec),
    timeZone: textOf(spec, 'timeZone') ?? 'UTC',
    suspended: isSuspended(spec),
    tasks: taskNamesOf(spec).length,
    activeRuns: status.activeRuns ?? null,
    nextScheduleTime: status.nextScheduleTime ?? null,
    lastScheduleTime: status.lastScheduleTime ?? null,
    lastRun: last ?? null,
    lastRuns: status.lastRuns ?? [],
    conditions: status.conditions ?? [],
    createdAt: metadata.creationTimestamp ?? null,
    now: moment(now),
  }
}

/** How a DAG stands in a line, what is wrong with it, and the facts. */
export function dagHeader(object: DagObject, paint: Paint, now: number): readonly string[] {
  const { metadata, spec, status = {} } = object
  const facts: (readonly [string, string] | null)[] = [
    ['namespace', metadata.namespace ?? ''],
    ['version', status.version === undefined ? 'none is in force' : String(status.version)],
    ['tasks', String(taskNamesOf(spec).length)],
    ['schedule', scheduleText(object)],
    status.nextScheduleTime === undefined ? null : ['next', nextText(status.nextScheduleTime, now)],
    status.activeRuns === undefined ? null : ['under way', `${status.activeRuns} runs`],
  ]
  const known = facts.filter(fact => fact !== null)
  const widest = Math.max(...known.map(([name]) => name.length))
  const problem = problemOf(object)
  const runs = (status.lastRuns ?? []).map(run => {
    const at = timeOf(run.startTime)
    const when = at === null ? '' : `  ${ago(now - at)}`
    return `  ${markOf(run.phase, paint)} ${printable(run.name)}  ${run.phase}${when}`
  })
  return [
    `${problem === null ? paint('green', '✔') : paint('red', '✖')} DAG ${paint('bold', metadata.name)}`,
    ...(problem === null ? [] : [`  ${paint('red', problem.reason)}: ${printable(problem.message)}`]),
    '',
    ...known.map(([name, text]) => `  ${paint('dim', name.padEnd(widest))}  ${text}`),
    ...(runs.length === 0 ? [] : ['', paint('bold', 'last runs'), ...runs]),
  ]
}

/** Why the text of a DAG is not in force; null when it is. */
export function problemOf({ status }: DagObject): Pick<Condition, 'reason' | 'message'> | null {
  if (status?.phase === undefined) return { reason: 'NotSeen', message: 'no controller has looked at it yet' }
  const ready = status.conditions?.find(({ type }) => type === 'Ready')
  return ready === undefined || ready.status === 'True' ? null : ready
}

export function scheduleText({ spec, status }: DagObject): string {
  const written = scheduleTexts(spec)
  if (written.length === 0) return '-'
  const words = printable(status?.schedule ?? written.join('; '))
  return isSuspended(spec) && !/suspended/iu.test(words) ? `suspended (${words})` : words
}

export function nextText(next: string | undefined, now: number): string {
  const at = timeOf(next)
  if (at === null) return '-'
  return at > now ? `in ${duration(at - now)} (${dateTime(at)})` : dateTime(at)
}

export function lastText({ status }: DagObject, now: number): string {
  const [last] = status?.lastRuns ?? []
  if (last === undefined) return 'never'
  const at = timeOf(last.startTime)
  const when = at === null ? '' : ` ${ago(now - at)}`
  return `${markOf(last.phase, painter(false))} ${last.phase}${when} (${printable(last.name)})`
}

const PHASES: readonly string[] = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']
const markOf = (phase: string, paint: Paint): string =>
  mark(PHASES.includes(phase) ? (phase as RunPhase) : 'pending', paint)

/** Names of the tasks as they are written; of the arrow language there are none. */
export function taskNamesOf(spec: unknown): readonly string[] {
  return ['task', 'finally'].flatMap(group => {
    const tasks = memberOf(spec, group)
    return Array.isArray(tasks) ? tasks.map(task => textOf(task, 'name') ?? '') : []
  })
}

export function scheduleTexts(spec: unknown): readonly string[] {
  const schedule = memberOf(spec, 'schedule')
  const texts = Array.isArray(schedule) ? schedule : [schedule]
  return texts.filter(text => typeof text === 'string' && text !== '')
}

export const isSuspended = (spec: unknown): boolean => memberOf(spec, 'suspended') === true

const textOf = (value: unknown, name: string): string | null => {
  const text = memberOf(value, name)
  return typeof text === 'string' ? text : null
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
