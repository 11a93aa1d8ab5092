import { localTime } from '../commands/schedule.ts'
import { changeText } from '../show/changes.ts'
import { moment } from '../../core/run/run-data.ts'
import { mark, type Paint, painter, printable } from '../show/text.ts'
import type { ObjectPlan } from './plan-objects.ts'
import type { SchedulePlan } from './plan-schedule.ts'
import type { RunPhase } from '../../core/run/rows.ts'

/** Ticks and runs that are written out. */
const TICKS_SHOWN = 5
const RUNS_SHOWN = 10
const CHANGES_SHOWN = 200

export function planData(objects: readonly ObjectPlan[], notes: readonly string[]) {
  return {
    objects: objects.map(({ kind, namespace, name, change, text, changes, schedule, runs, problems }) => ({
      kind,
      namespace,
      name,
      change,
      text,
      changes,
      schedule:
        schedule === null
          ? null
          : {
              ...schedule,
              added: schedule.added.map(moment),
              removed: schedule.removed.map(moment),
              until: moment(schedule.until),
            },
      runs,
      problems,
    })),
    notes,
  }
}

export function planLines(
  objects: readonly ObjectPlan[],
  notes: readonly string[],
  paint: Paint,
  days: number,
): readonly string[] {
  const count = (change: ObjectPlan['change']): number =>
    objects.filter(object => object.change === change).length
  const counts = (['new', 'changed', 'unchanged', 'refused'] as const).flatMap(change =>
    count(change) === 0 ? [] : [`${count(change)} ${change}`],
  )
  return [
    ...objects.flatMap((object, index) => [
      ...(index === 0 ? [] : ['']),
      ...objectLines(object, paint, days),
    ]),
    '',
    `${counts.join(', ')}; nothing was changed`,
    ...notes,
  ]
}

const SIGNS = { new: '+', changed: '~', unchanged: '=', refused: '!' } as const
const STYLES = { new: 'green', changed: 'yellow', unchanged: 'dim', refused: 'red' } as const

function objectLines(object: ObjectPlan, paint: Paint, days: number): readonly string[] {
  const { kind, namespace, name, change, text, changes, schedule, runs, problems } = object
  const sign = paint(STYLES[change], SIGNS[change])
  const shown = changes.slice(0, CHANGES_SHOWN)
  const more = changes.length - shown.length
  return [
    `${sign} ${kind} ${paint('bold', name)} in ${namespace} ${text}`,
    ...shown.map(one => `    ${changeText(one, paint)}`),
    ...(more > 0 ? [`    … and ${more} more changes`] : []),
    ...problems.map(
      ({ code, message, fix }) => `    ${paint('red', code)}: ${printable(message)}; ${printable(fix)}`,
    ),
    ...(schedule === null ? [] : scheduleLines(schedule, paint, days)),
    ...runLines(runs, paint),
  ]
}

function scheduleLines(schedule: SchedulePlan, paint: Paint, days: number): readonly string[] {
  const { before, after, added, removed, stay, timeZone, isSame, until } = schedule
  const within =
    until === null
      ? `in the next ${days} ${days === 1 ? 'day' : 'days'}`
      : `until ${localTime(until, timeZone)}`
  if (isSame) return [`  ${paint('bold', 'schedule')} unchanged: ${after}; ${stay} runs ${within}`]
  const list = (sign: string, style: 'green' | 'red', ticks: readonly number[]): readonly string[] => [
    ...ticks.slice(0, TICKS_SHOWN).map(at => `    ${paint(style, `${sign} ${localTime(at, timeZone)}`)}`),
    ...(ticks.length > TICKS_SHOWN
      ? [`    ${paint(style, `${sign} … ${ticks.length - TICKS_SHOWN} more`)}`]
      : []),
  ]
  const words = before === after ? after : `${before} → ${after}`
  return [
    `  ${paint('bold', 'schedule')} ${words}`,
    `    ${within}: ${added.length} runs more, ${removed.length} fewer, ${stay} as before`,
    ...list('+', 'green', added),
    ...list('-', 'red', removed),
  ]
}

function runLines(runs: ObjectPlan['runs'], paint: Paint): readonly string[] {
  if (runs.length === 0) return []
  const more = runs.length - RUNS_SHOWN
  return [
    `  ${paint('bold', 'runs in flight')}`,
    ...runs
      .slice(0, RUNS_SHOWN)
      .map(
        ({ name, phase, becomes }) =>
          `    ${mark(phase as RunPhase | 'pending', painter(false))} ${name} (${phase}) ${becomes}`,
      ),
    ...(more > 0 ? [`    … and ${more} more`] : []),
  ]
}
