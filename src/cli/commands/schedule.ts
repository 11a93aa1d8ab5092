import type { Dag } from '../../core/dag/dag.ts'
import { preview } from '../../core/schedule/preview.ts'
import { moment } from '../../core/run/run-data.ts'
import { SKIP_REASONS } from '../../core/schedule/skip.ts'
import { inWords } from '../../core/schedule/words.ts'
import { systemClock } from '../../host/clock.ts'
import { CommandError, EXIT } from '../exit.ts'
import { openRecords } from '../records.ts'
import { printProblems, readManifest } from '../manifest.ts'
import type { Environment } from '../settings.ts'
import { type DataFormat, isDataFormat, printData, printLines } from '../show/print.ts'
import { painter } from '../show/text.ts'
import { wholeNumber } from '../values.ts'

export interface PreviewCommandOptions {
  readonly days: string
  readonly from?: string
  readonly limit: string
  readonly runs?: string
  readonly output?: 'text' | 'json'
}

const DAY_MS = 86_400_000

/** `kontroler schedule preview FILE… | DAG`: what the scheduler will do, by the scheduler's own function. */
export async function schedulePreview(
  environment: Environment,
  names: readonly string[],
  options: PreviewCommandOptions,
): Promise<number> {
  const days = number('--days', options.days)
  const max = number('--limit', options.limit)
  const from = options.from === undefined ? systemClock.now() : momentIn(options.from)
  const dags = await dagsNamed(environment, names)
  if (dags === null) return EXIT.usage
  const found = dags
    .filter(({ schedules }) => schedules.length > 0)
    .map(dag => ({ dag, entries: preview(dag, from, from + days * DAY_MS, { max }) }))
  if (options.output === 'json') {
    const data = found.map(({ dag, entries }) => ({
      namespace: dag.namespace,
      dag: dag.name,
      timeZone: dag.timeZone,
      schedules: dag.schedules,
      ticks: entries.map(({ at, skippedReason }) => ({
        at: new Date(at).toISOString(),
        local: localTime(at, dag.timeZone),
        ...(skippedReason === undefined ? {} : { skippedReason }),
      })),
    }))
    process.stdout.write(`${JSON.stringify(data, null, 2)}\n`)
    return EXIT.succeeded
  }
  if (found.length === 0) process.stdout.write('no DAG there has a schedule; it runs by hand or on events\n')
  for (const { dag, entries } of found) printDag(dag, entries, max, environment)
  return EXIT.succeeded
}

function printDag(
  dag: Dag,
  entries: ReturnType<typeof preview>,
  max: number,
  environment: Environment,
): void {
  const paint = painter(environment.color)
  const words = dag.schedules.map(text => inWords(text, dag.timeZone)).join('; and ')
  const lines = entries.map(({ at, skippedReason }) => {
    const note = skippedReason === undefined ? '' : paint('yellow', `  skipped: ${skippedReason}`)
    return `  ${localTime(at, dag.timeZone)}  ${paint('dim', new Date(at).toISOString())}${note}`
  })
  const more = entries.length >= max ? [`  … more; see --limit`] : []
  process.stdout.write(`${[`${paint('bold', dag.name)}: ${words}`, ...lines, ...more].join('\n')}\n`)
}

/** Names that are files are read; others are DAGs of the state directory. Null when a file has errors. */
async function dagsNamed(environment: Environment, names: readonly string[]): Promise<readonly Dag[] | null> {
  const { existsSync } = await import('node:fs')
  const files = names.filter(name => name === '-' || existsSync(name))
  const manifest = await readManifest(files, null)
  if (printProblems(manifest.problems, 'text', environment, manifest.inputs)) return null
  const dags = manifest.dags.map(({ dag }) => dag)
  const others = names.filter(name => !files.includes(name))
  if (others.length === 0) return dags
  await using records = await openRecords(environment)
  for (const name of others) {
    const { namespace, plain } = dagNamed(name)
    const found = await records.dag(namespace, plain)
    if (found === null)
      throw new CommandError('UNKNOWN_DAG', `there is no file and no DAG ${name}`, 'name a file')
    dags.push(found.dag)
  }
  return dags
}

/** `NAME`, or `NAMESPACE/NAME`. */
function dagNamed(text: string): { readonly namespace: string; readonly plain: string } {
  const [namespace = '', plain] = text.split('/', 2)
  return plain === undefined ? { namespace: 'default', plain: text } : { namespace, plain }
}

export interface HistoryOptions {
  readonly limit: string
  readonly output?: DataFormat
}

/** `kontroler schedule history DAG`: ticks that did not become runs, and why. */
export async function scheduleHistory(
  environment: Environment,
  name: string,
  options: HistoryOptions,
): Promise<number> {
  const limit = wholeNumber('--limit', options.limit, 500)
  await using records = await openRecords(environment)
  const { namespace, plain } = dagNamed(name)
  const found = await records.dag(namespace, plain)
  if (found === null) {
    throw new CommandError('UNKNOWN_DAG', `there is no DAG ${name}`, 'see kontroler list dags')
  }
  const skips = await records.skips(namespace, plain, limit)
  if (isDataFormat(options.output)) {
    printData(options.output, {
      namespace,
      dag: plain,
      skips: skips.map(({ from, to, count, reason, at }) => ({
        from: moment(from),
        to: moment(to),
        count,
        reason,
        sentence: SKIP_REASONS[reason],
        at: moment(at),
      })),
    })
    return EXIT.succeeded
  }
  if (skips.length === 0)
    printLines([`every tick of ${plain} became a run; see them with: kontroler list --dag ${plain}`])
  const { timeZone } = found.dag
  printLines(
    skips.map(({ from, to, count, reason }) => {
      const when = localTime(from, timeZone)
      return count === 1
        ? `${when}  ${SKIP_REASONS[reason]}`
        : `${when} … ${localTime(to, timeZone)}  ${count} ticks: ${SKIP_REASONS[reason]}`
    }),
  )
  return EXIT.succeeded
}

/** Wall time in a zone with its offset, as `Sun 2026-03-29 03:00 +02:00`. */
export function localTime(at: number, zone: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'longOffset',
  }).formatToParts(at)
  const part = (type: string): string => parts.find(piece => piece.type === type)?.value ?? ''
  const offset = part('timeZoneName').replace('GMT', '') || '+00:00'
  const date = `${part('year')}-${part('month')}-${part('day')}`
  return `${part('weekday')} ${date} ${part('hour')}:${part('minute')} ${offset}`
}

function number(option: string, text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text)
  throw new CommandError(
    'BAD_OPTION',
    `${option} ${text} is not a number`,
    'give a whole number from 1 to 99999',
  )
}

function momentIn(text: string): number {
  const at = Date.parse(text)
  if (Number.isFinite(at)) return at
  throw new CommandError(
    'BAD_OPTION',
    `--from ${text} is no date`,
    'write it as 2026-03-01 or 2026-03-01T12:00:00Z',
  )
}
