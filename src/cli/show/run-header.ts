import type { ParameterValue } from '../../core/dag/dag.ts'
import type { RunState } from '../../core/run/state.ts'
import type { RunRow } from '../../core/run/rows.ts'
import { type Paint, ago, dateTime, duration, mark, phaseText, printable } from './text.ts'

/** What belongs to a run but lies elsewhere. */
export interface RelatedToRun {
  readonly dag: { readonly version: number } | null
  readonly continues: RunRow | null
  readonly parent: RunRow | null
}

/** How a run stands, in a line, its root failure below, and then the facts around it. */
export function runHeader(
  run: RunRow,
  state: RunState,
  related: RelatedToRun,
  options: { readonly paint: Paint; readonly now: number; readonly isInterrupted: boolean },
): readonly string[] {
  const { paint, now, isInterrupted } = options
  const phase = isInterrupted ? 'interrupted' : run.phase
  const shape = isInterrupted ? paint('yellow', '!') : mark(run.phase, paint)
  const took =
    run.startedAt === null || (isInterrupted && run.endedAt === null)
      ? ''
      : `${run.endedAt === null ? ' for' : ' after'} ${duration((run.endedAt ?? now) - run.startedAt)}`
  const message = isInterrupted ? `go on with: kontroler resume ${run.name}` : printable(run.message)
  const facts = factsOf(run, state, related, now)
  const widest = Math.max(...facts.map(([name]) => name.length))
  return [
    `${shape} ${paint('bold', run.name)}  ${phaseText(phase, phase, paint)}${took}`,
    ...(message === '' ? [] : [`  ${message}`]),
    '',
    ...facts.map(([name, text]) => `  ${paint('dim', name.padEnd(widest))}  ${text}`),
  ]
}

function factsOf(
  run: RunRow,
  state: RunState,
  { dag, continues, parent }: RelatedToRun,
  now: number,
): readonly (readonly [string, string])[] {
  const when = (at: number): string => `${dateTime(at)} (${ago(now - at)})`
  const labels = Object.entries(run.labels).map(([name, value]) => `${name}=${value}`)
  const facts: (readonly [string, string] | null)[] = [
    ['id', run.id],
    run.namespace === 'default' ? null : ['namespace', run.namespace],
    ['dag', `${run.dag}${dag === null ? '' : ` (version ${dag.version})`}`],
    ['trigger', triggerText(run.trigger)],
    ['created', when(run.createdAt)],
    run.startedAt === null || run.startedAt === run.createdAt ? null : ['started', when(run.startedAt)],
    run.endedAt === null ? null : ['ended', when(run.endedAt)],
    ['progress', `${run.tasksDone}/${run.tasksTotal}`],
    run.continues === null ? null : ['continues', continues?.name ?? run.continues],
    run.parentRun === null ? null : ['part of', parent?.name ?? run.parentRun],
    labels.length === 0 ? null : ['labels', printable(labels.join(', '))],
    ...state.created.parameters.map(
      (parameter, at) =>
        [at === 0 ? 'parameters' : '', parameterText(parameter)] as readonly [string, string],
    ),
  ]
  return facts.filter(fact => fact !== null)
}

/** `NAME=value`; a secret as where it comes from, since its value is known to nobody here. */
export function parameterText({ name, value }: ParameterValue): string {
  return value.kind === 'value'
    ? `${name}=${printable(value.value)}`
    : `${name} from Secret ${value.secret.name}, key ${value.secret.key}`
}

function triggerText(trigger: RunRow['trigger']): string {
  switch (trigger.kind) {
    case 'manual':
      return `by hand, by ${printable(trigger.by)}`
    case 'schedule':
      return `schedule, due ${new Date(trigger.scheduledTime).toISOString()}`
    case 'event':
      return `event from ${printable(trigger.source)}`
    case 'dag':
      return 'a task of another run'
    case 'dagRun':
      return `DagRun ${printable(trigger.key)}`
  }
}
