import type { RunPhase } from '../core/run/rows.ts'
import { CommandError } from './exit.ts'
import type { Environment } from './settings.ts'
import { type DataFormat, printLines } from './show/print.ts'
import { type Column, tableLines } from './show/table.ts'
import { age, dateTime, mark, type Paint, painter, phaseText, printable } from './show/text.ts'
import { wholeNumber } from './values.ts'

/** What `list` is asked, of this machine as of a cluster. */
export interface ListOptions {
  readonly dag?: string
  readonly phase?: readonly string[]
  readonly label?: readonly string[]
  readonly since?: string
  readonly limit: string
  readonly all?: boolean
  readonly output?: DataFormat | 'wide' | 'name'
}

const LIMIT_MAX = 100_000

/** How many runs are wanted at most. */
export function limitOf({ limit, all }: ListOptions): number {
  const most = wholeNumber('--limit', limit, LIMIT_MAX)
  return all === true ? Number.POSITIVE_INFINITY : most
}

/**
 * Nothing that was asked is passed over in silence.
 *
 * @param given  Options that choose among runs, and are no use with DAGs.
 * @throws {CommandError} One of them was given.
 */
export function refuseWithDags(given: Readonly<Record<string, unknown>>): void {
  const [name] = Object.entries(given).find(([, value]) => value !== undefined && value !== false) ?? []
  if (name === undefined) return
  throw new CommandError('BAD_OPTION', `--${name} chooses runs, and DAGs are listed`, `leave out --${name}`)
}

/** A run as a list shows it. What people wrote is `printable`. */
export interface RunLine {
  readonly name: string
  readonly namespace: string
  readonly dag: string
  readonly phase: RunPhase | 'pending' | 'interrupted'
  readonly done: string
  readonly createdAt: number
  readonly took: string
  readonly trigger: string
  readonly id: string
  readonly labels: Readonly<Record<string, string>>
  readonly message: string
}

export interface RunTable {
  readonly paint: Paint
  readonly now: number
  readonly wide: boolean
  /** Runs of several namespaces: each begins with its own. */
  readonly namespaces: boolean
}

/** @param wideOnly  What only one kind of list knows, shown when there is room. */
export function runColumns<Line extends RunLine>(
  { paint, now, wide, namespaces }: RunTable,
  wideOnly: readonly Column<Line>[] = [],
): readonly Column<Line>[] {
  const namespace: Column<Line> = { title: 'NAMESPACE', cell: line => line.namespace }
  const more: readonly Column<Line>[] = [
    { title: 'CREATED', cell: ({ createdAt }) => dateTime(createdAt) },
    ...(namespaces ? [] : [namespace]),
    { title: 'TRIGGER', cell: ({ trigger }) => trigger },
    ...wideOnly,
    { title: 'ID', cell: ({ id }) => id },
    { title: 'LABELS', cell: ({ labels }) => labelsText(labels) || '-' },
  ]
  return [
    ...(namespaces ? [namespace] : []),
    { title: 'RUN', cell: ({ name }) => name, style: text => paint('bold', text) },
    { title: 'DAG', cell: ({ dag }) => dag },
    {
      title: 'PHASE',
      cell: ({ phase }) => `${phase === 'interrupted' ? '!' : mark(phase, painter(false))} ${phase}`,
      style: (text, { phase }) => phaseText(phase, text, paint),
    },
    { title: 'DONE', cell: ({ done }) => done, align: 'right' },
    { title: 'AGE', cell: ({ createdAt }) => age(now - createdAt), align: 'right' },
    { title: 'TOOK', cell: ({ took }) => took, align: 'right' },
    ...(wide ? more : []),
    { title: 'MESSAGE', cell: ({ message }) => message },
  ]
}

/** What is piped is not cut: another program reads it. */
export function printTable<Row>(
  { terminal, columns: width, color }: Environment,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  output: ListOptions['output'],
): void {
  const room = terminal && output !== 'wide' ? width : Number.POSITIVE_INFINITY
  printLines(tableLines(columns, rows, { paint: painter(color), width: room }))
}

/** Beside the table, so that a pipe does not see it. */
export function sayMore({ color }: Environment): void {
  process.stderr.write(painter(color)('dim', '… more: --limit N or --all\n'))
}

const labelsText = (labels: Readonly<Record<string, string>>): string =>
  printable(
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
  )
