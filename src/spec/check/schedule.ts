import { checkCron, timeZoneProblem } from '../../core/schedule/cron.ts'
import { present, type Loose } from '../loose.ts'
import type { DagSpec } from '../schema/dag.ts'
import { shown } from '../shape.ts'
import type { Path } from '../source.ts'
import { checkUnique, type Report } from './words.ts'

/** When the DAG runs: cron texts that fire some day, and a zone that exists. */
export function checkSchedule(spec: Loose<DagSpec>, report: Report): void {
  const entries: [text: string, path: Path][] =
    typeof spec.schedule === 'string'
      ? spec.schedule === ''
        ? []
        : [[spec.schedule, ['spec', 'schedule']]]
      : (spec.schedule ?? []).flatMap((text, index) =>
          text === undefined ? [] : [[text, ['spec', 'schedule', index]] as [string, Path]],
        )
  for (const [text, path] of entries) {
    const problem = text === '' ? 'the schedule is empty' : checkCron(text)
    if (problem === null) continue
    report({
      code: 'SCHEDULE_INVALID',
      path,
      message: `the schedule ${shown(text)} cannot be used: ${problem}`,
      fix: 'write five fields, such as 0 6 * * 1-5, or @daily',
    })
  }
  checkUnique('schedule', 'SCHEDULE_DUPLICATE', entries, report)
  if (entries.length > 0) checkValuesAreThere(spec, report)
  if (spec.timeZone === undefined) return
  const problem = timeZoneProblem(spec.timeZone)
  if (problem !== null) report({ code: 'TIME_ZONE_INVALID', path: ['spec', 'timeZone'], ...problem })
}

/** A tick brings no values: a schedule of a DAG that needs one would be refused each time. */
function checkValuesAreThere(spec: Loose<DagSpec>, report: Report): void {
  for (const [index, { name, required }] of present(spec.parameters)) {
    if (required !== true || name === undefined) continue
    report({
      code: 'PARAMETER_REQUIRED',
      path: ['spec', 'parameters', index, 'required'],
      message: `the parameter ${name} is required, and a schedule gives no values`,
      fix: 'give it a default, or remove the schedule',
    })
  }
}
