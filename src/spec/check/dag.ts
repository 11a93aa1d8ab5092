import { suggester } from '../../core/nearest.ts'
import { LIMITS } from '../../core/limits.ts'
import { present, type Loose } from '../loose.ts'
import type { DagDocument, DagSpec } from '../schema/dag.ts'
import { checkExpressions } from './expressions.ts'
import { knownItems } from './fan-out.ts'
import { checkGraph } from './graph.ts'
import { checkMetadata } from './metadata.ts'
import { checkNoTemplates } from './no-templates.ts'
import { checkParameters, isGiven } from './parameters.ts'
import { checkSchedule } from './schedule.ts'
import { checkTriggers } from './triggers.ts'
import { checkWorkspace } from './quantities.ts'
import { at, type TaskView } from './view.ts'
import { checkWebhook } from './webhook.ts'
import { checkWork, taskName } from './work.ts'
import { checkDuration, checkLabel, type Report } from './words.ts'

/**
 * The second pass over a DAG: what its fields mean together. It runs on whatever the first pass left, so that all
 * problems show at once, and says nothing about what is missing because the first pass took it out.
 */
export function checkDag(document: Loose<DagDocument>, views: readonly TaskView[], report: Report): void {
  const spec: Loose<DagSpec> = document.spec ?? {}
  checkMetadata(document.metadata, 'DAG', report)
  checkParameters(spec.parameters, ['spec', 'parameters'], report)
  checkSchedule(spec, report)
  checkDuration(spec.timeout, ['spec', 'timeout'], 1, report)
  checkDuration(spec.retention?.age, ['spec', 'retention', 'age'], 1, report)
  if (spec.pool !== undefined) checkLabel('pool', spec.pool, ['spec', 'pool'], report)
  checkWorkspace(spec.workspace, report)
  checkWebhook(spec.webhook, report)
  checkTriggers(spec, document.metadata?.name, report)
  checkSize(document, views, report)
  checkGraph(views, report)
  const declared = new Set(present(spec.parameters).map(([, { name }]) => name))
  const meant = suggester([...declared].filter(name => name !== undefined))
  for (const view of views) {
    checkWork(view, report)
    checkNoTemplates(view, report)
    checkTaskParameters(view, declared, meant, report)
    if (view.spec.dag?.name !== undefined && view.spec.dag.name === document.metadata?.name) {
      report({
        code: 'DAG_CALLS_ITSELF',
        path: at(view, 'dag', 'name'),
        message: `the DAG ${view.spec.dag.name} would run itself without end`,
        fix: 'name another DAG',
      })
    }
  }
  checkExpressions(views, spec.parameters, report)
}

function checkSize(document: Loose<DagDocument>, views: readonly TaskView[], report: Report): void {
  const { spec } = document
  if (spec !== undefined && (spec.task === undefined || spec.task.length === 0) && !isGiven(spec.dsl)) {
    report({
      code: 'DAG_EMPTY',
      path: ['spec', 'task'],
      on: 'key',
      message: 'the DAG has no task',
      fix: 'add a task under spec.task',
    })
  }
  const count = views.reduce((sum, view) => sum + Math.max(knownItems(view), 1), 0)
  if (count <= LIMITS.tasksPerRunMax) return
  report({
    code: 'DAG_TOO_LARGE',
    path: ['spec', 'task'],
    on: 'key',
    message: `the DAG has ${count} tasks with its fan-outs, more than ${LIMITS.tasksPerRunMax}`,
    fix: 'split it into several DAGs',
  })
}

/** Parameters that a task asks for must be declared in the DAG. */
function checkTaskParameters(
  view: TaskView,
  declared: ReadonlySet<string | undefined>,
  meant: ReturnType<typeof suggester>,
  report: Report,
): void {
  const seen = new Set<string>()
  for (const [index, name] of present(view.spec.parameters)) {
    const path = at(view, 'parameters', index)
    if (!declared.has(name)) {
      report({
        code: 'PARAMETER_UNKNOWN',
        path,
        message: `${taskName(view)} asks for the parameter ${name}, which the DAG does not declare`,
        fix: meant(name, `declare ${name} under spec.parameters`),
      })
    } else if (seen.has(name)) {
      report({
        code: 'PARAMETER_DUPLICATE',
        severity: 'warning',
        path,
        message: `${taskName(view)} asks for the parameter ${name} twice`,
        fix: 'remove one of the two',
      })
    }
    seen.add(name)
  }
}
