import type { Explanation } from '../../core/run/explain.ts'
import { type RunState, taskByKey } from '../../core/run/state.ts'
import { explanationData } from '../../core/run/run-data.ts'
import { systemClock } from '../../host/clock.ts'
import { CommandError, EXIT } from '../exit.ts'
import { openRecords } from '../records.ts'
import type { Environment } from '../settings.ts'
import { type DataFormat, isDataFormat, printData, printLines } from '../show/print.ts'
import { type Paint, duration, mark, painter, printable } from '../show/text.ts'
import { taskNamed } from './get.ts'

/** `kontroler explain RUN [TASK]`: why it waits or why it ended so, in a sentence, and what to do next. */
export async function explain(
  environment: Environment,
  text: string,
  key: string | undefined,
  options: { readonly output?: DataFormat },
): Promise<number> {
  await using records = await openRecords(environment)
  const run = await records.find(text)
  const state = await records.load(run.id)
  if (state === null) throw new CommandError('UNKNOWN_RUN', `there is no run ${text}`, 'see kontroler list')
  const now = systemClock.now()
  const about = key === undefined ? null : taskNamed(state, key)
  const { main, roots } = await records.explain(run, state, about, now)
  if (isDataFormat(options.output)) {
    printData(options.output, {
      run: run.id,
      name: run.name,
      task: about?.key ?? null,
      state: about?.state ?? state.phase,
      ...explanationData(main),
      root: roots.map(([task, explanation]) => ({ task, ...explanationData(explanation) })),
    })
    return EXIT.succeeded
  }
  const paint = painter(environment.color)
  const shape = mark(about?.state ?? state.phase, paint)
  const lines = explanationLines(main, shape, { state, paint, now, indent: '' })
  for (const [task, explanation] of roots) {
    const taskShape = mark(taskByKey(state, task).state, paint)
    lines.push('', ...explanationLines(explanation, taskShape, { state, paint, now, indent: '  ' }))
  }
  printLines(lines)
  return EXIT.succeeded
}

function explanationLines(
  { sentence, next, deadline }: Omit<Explanation, 'root'>,
  shape: string,
  show: { readonly state: RunState; readonly paint: Paint; readonly now: number; readonly indent: string },
): string[] {
  const { state, paint, now, indent } = show
  const lines = [`${indent}${shape} ${printable(sentence)}`]
  if (deadline !== null) {
    const wait = deadline.at > now ? `in ${duration(deadline.at - now)}` : 'at any moment'
    lines.push(`${indent}  ${paint('dim', 'then:')} ${wait} ${deadline.what}`)
  }
  // People type the name; the id is for programs.
  const step = next.replaceAll(state.created.run, state.created.name)
  if (step !== 'nothing to do') lines.push(`${indent}  ${paint('dim', 'next:')} ${step}`)
  return lines
}
