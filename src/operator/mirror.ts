import type { ParameterValue } from '../core/dag/dag.ts'
import type { Json } from '../core/json.ts'
import type { StoredRun } from '../ports/store.ts'
import type { NewDagRun } from './cluster.ts'
import { DAG_LABEL, MADE_FOR, TRIGGER_LABEL, mirrorName } from './names.ts'

/**
 * The DagRun that shows a run which no DagRun asked for, such as one that a schedule started. It has no owner: it stays
 * when its DAG is removed, as the run does.
 *
 * @param taken  Another object has the run's name.
 */
export function mirrorOf(run: StoredRun, parameters: readonly ParameterValue[], taken: boolean): NewDagRun {
  const name = mirrorName(run, taken)
  return {
    namespace: run.namespace,
    name,
    labels: { ...ownLabels(run.labels), [DAG_LABEL]: run.dag, [TRIGGER_LABEL]: run.trigger.kind },
    annotations: { [MADE_FOR]: `${run.namespace}/${name}/${run.id}` },
    spec: {
      dagName: run.dag,
      ...(parameters.length === 0 ? {} : { parameters: parameters.map(parameterSpec) }),
    },
  }
}

/** By these labels, tools that deploy from Git find what is theirs, and would prune what they did not make. */
const TOOLS = /^(?:app\.kubernetes\.io\/instance$|argocd\.argoproj\.io\/|[a-z]+\.toolkit\.fluxcd\.io\/)/u

function ownLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).filter(([label]) => !TOOLS.test(label)))
}

function parameterSpec({ name, value }: ParameterValue): Json {
  if (value.kind === 'value') return { name, value: value.value }
  return { name, fromSecret: { name: value.secret.name, key: value.secret.key } }
}
