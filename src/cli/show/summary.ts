import { type RunState, lastAttempt } from '../../core/run/state.ts'
import type { LogArchive } from '../../ports/logs.ts'
import type { RootFailure } from '../root-failure.ts'
import { terminalText } from './log-text.ts'
import { type Paint, duration, mark, printable, shellWord } from './text.ts'

const TAIL_LINES = 12
const TAIL_BYTES = 16_384

/** What a person wants to read when a run is over: how it ended, why, the last words of what failed, what to do. */
export async function summaryLines(
  state: RunState,
  root: RootFailure | null,
  logs: Pick<LogArchive, 'read' | 'size'>,
  paint: Paint,
  mask: (text: string) => string,
): Promise<readonly string[]> {
  const { name } = state.created
  const took =
    state.startedAt === null ? '' : ` after ${duration((state.endedAt ?? state.startedAt) - state.startedAt)}`
  const head = `${mark(state.phase, paint)} ${paint('bold', name)} ${state.phase}${took} (${countsOf(state)})`
  if (state.phase === 'succeeded') return [head]
  const lines = [head]
  if (state.message !== '') lines.push(`  ${printable(state.message)}`)
  if (root !== null && root.task.attempts.length > 0) {
    lines.push(...(await lastWords(root, logs, paint, mask)))
    lines.push('', `  logs:    kontroler logs ${root.state.created.name} --task ${shellWord(root.task.key)}`)
  }
  lines.push(`  explain: kontroler explain ${name}`, `  retry:   kontroler retry ${name}`)
  return lines
}

/** `4 succeeded, 1 failed, 1 not run`; items of a fan-out count, the fan-out itself does not. */
function countsOf(state: RunState): string {
  const words = {
    succeeded: 'succeeded',
    failed: 'failed',
    upstreamFailed: 'not run',
    skipped: 'skipped',
    cancelled: 'cancelled',
  } as const
  const tasks = state.tasks.filter(({ fan }) => fan === null || fan.children.length === 0)
  const parts = Object.entries(words).flatMap(([name, word]) => {
    const count = tasks.filter(task => task.state === name).length
    return count === 0 ? [] : [`${count} ${word}`]
  })
  return parts.length === 0 ? 'no tasks' : parts.join(', ')
}

async function lastWords(
  { state, task }: RootFailure,
  logs: Pick<LogArchive, 'read' | 'size'>,
  paint: Paint,
  mask: (text: string) => string,
): Promise<readonly string[]> {
  const attempt = lastAttempt(task)
  if (attempt === undefined) return []
  const text = await tail(logs, { run: state.created.run, task: task.key, attempt: attempt.number })
  if (text === null) return []
  if (text === '') return ['', paint('dim', `  ${task.key} wrote nothing`)]
  const shown = terminalText(mask(text), false).split('\n').slice(-TAIL_LINES)
  return [
    '',
    paint('dim', `  last lines of ${task.key}:`),
    ...shown.map(line => `  ${paint('dim', '│')} ${line.slice(0, 500)}`),
  ]
}

/** The end of a log as text, without its last line break; null when there is no log. */
async function tail(
  logs: Pick<LogArchive, 'read' | 'size'>,
  ref: Parameters<LogArchive['size']>[0],
): Promise<string | null> {
  const size = await logs.size(ref)
  if (size === null) return null
  const from = Math.max(0, size - TAIL_BYTES)
  const bytes = await logs.read(ref, from, TAIL_BYTES)
  const text = new TextDecoder().decode(bytes).replace(/\r?\n$/, '')
  return from === 0 ? text : text.slice(text.indexOf('\n') + 1)
}
