import type { Loose } from '../loose.ts'
import type { DagSpec, TaskSpec } from '../schema/dag.ts'
import { nameOf, shown } from '../shape.ts'
import type { Finding, Path } from '../source.ts'
import { at, type TaskView } from './view.ts'
import type { Report } from './words.ts'

type Resources = NonNullable<
  Loose<TaskSpec>['resources'] | NonNullable<Loose<TaskSpec>['podTemplate']>['resources']
>

/** Amounts of a task's container; upstream drops what it cannot read without a word. */
export function checkTaskResources(view: TaskView, report: Report): void {
  const { resources, podTemplate } = view.spec
  const local = (finding: Finding): void => {
    const [field, ...rest] = finding.path
    report({ ...finding, path: at(view, field === 'resources' ? 'resources' : 'podTemplate', ...rest) })
  }
  checkResources(resources, ['resources'], local)
  checkResources(podTemplate?.resources, ['podTemplate', 'resources'], local)
}

/** The size of the workspace. */
export function checkWorkspace(workspace: Loose<DagSpec>['workspace'], report: Report): void {
  checkResources(workspace?.pvc?.resources, ['spec', 'workspace', 'pvc', 'resources'], report)
}

function checkResources(resources: Resources | undefined, path: Path, report: Report): void {
  for (const list of ['limits', 'requests'] as const) {
    for (const [name, amount] of Object.entries(resources?.[list] ?? {})) {
      if (amount === undefined || isQuantity(amount)) continue
      const place = [...path, list, name]
      report({
        code: 'QUANTITY_INVALID',
        path: place,
        message: `${nameOf(place)} is ${shown(amount)}, which is not an amount`,
        fix: 'write a number with a unit of Kubernetes, such as 500m, 2, 256Mi or 1.5Gi',
      })
    }
  }
}

function isQuantity(amount: string | number): boolean {
  if (typeof amount === 'number') return amount >= 0
  return /^\+?(?:\d+\.?\d*|\.\d+)(?:[KMGTPE]i|[numkMGTPE]|[eE][-+]?\d+)?$/.test(amount)
}
