import { type Explanation, explainRun, explainTask } from '../../core/run/explain.ts'
import { type RunState, taskByKey } from '../../core/run/state.ts'
import { explanationData } from '../../core/run/run-data.ts'
import { explainContext } from '../../engine/explain-context.ts'
import { loadRun } from '../../engine/load.ts'
import { engineProbe } from '../../host/this-engine.ts'
import { systemClock } from '../../host/clock.ts'
import { CommandError, EXIT } from '../exit.ts'
import { findRun, openLocal } from '../local.ts'
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
  const local = await openLocal(environment, false)
  try {
    const run = await findRun(local.store, text)
    const state = await loadRun(local.store, run.id)
    if (state === null) throw new CommandError('UNKNOWN_RUN', `there is no run ${text}`, 'see kontroler list')
    const now = systemClock.now()
    const context = await explainContext(local.store, engineProbe, run, state)
    const about = key === undefined ? null : taskNamed(state, key)
    const main =
      about === null ? explainRun(state, now, context) : explainTask(state, about.key, now, context)
    const roots = main.root.map(
      ({ task }) => [task, explainTask(state, task, now, context)] as readonly [string, Explanation],
    )
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
  } finally {
    await local.close()
  }
}

function explanationLines(
  { sentence, next, deadline }: Explanation,
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
