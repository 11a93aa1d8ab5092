import { cycles } from '../../core/dag/cycle.ts'
import { suggester } from '../../core/nearest.ts'
import { present, type Loose } from '../loose.ts'
import type { DagSpec, TaskSpec } from '../schema/dag.ts'
import type { Finding, Path } from '../source.ts'
import { shownPath } from './graph.ts'
import { isGiven, valueProblem } from './parameters.ts'

/** A DAG among others that are loaded together. */
export interface Caller {
  readonly namespace: string
  readonly name: string | null
  readonly spec: Loose<DagSpec>
}

type Call = { readonly task: NonNullable<Loose<TaskSpec>['dag']>; readonly path: Path }

/**
 * What `dag` tasks say about DAGs that are at hand: parameters that these declare, and no circle of DAGs that run each
 * other. A DAG that is not at hand may exist all the same, so nothing is said about it.
 */
export function checkCalls<C extends Caller>(callers: readonly C[]): { caller: C; finding: Finding }[] {
  const byKey = new Map(callers.map(caller => [`${caller.namespace}/${caller.name ?? ''}`, caller]))
  const found: { caller: C; finding: Finding }[] = []
  const targets = new Map<string, string[]>()
  for (const [key, caller] of byKey) {
    const calls = callsOf(caller.spec)
    targets.set(
      key,
      calls.map(({ task }) => `${caller.namespace}/${task.name ?? ''}`),
    )
    for (const call of calls) {
      const target = byKey.get(`${caller.namespace}/${call.task.name ?? ''}`)
      if (target === undefined) continue
      for (const finding of parameterFindings(call, target.spec)) found.push({ caller, finding })
    }
  }
  for (const path of cycles(targets)) {
    const caller = byKey.get(path[0] ?? '')
    if (caller === undefined) continue
    const next = path.at(-2)
    const call = callsOf(caller.spec).find(({ task }) => `${caller.namespace}/${task.name ?? ''}` === next)
    const names = path.toReversed().map(key => key.slice(key.indexOf('/') + 1))
    const finding: Finding = {
      code: 'DAG_CALLS_ITSELF',
      path: [...(call?.path ?? ['spec']), 'name'],
      message: `DAGs run each other without end: ${shownPath(names)}`,
      fix: 'remove one of these dag tasks',
    }
    found.push({ caller, finding })
  }
  return found
}

function callsOf(spec: Loose<DagSpec>): Call[] {
  return (['task', 'finally'] as const).flatMap(group =>
    present(spec[group]).flatMap(([index, { dag }]) =>
      dag === undefined ? [] : [{ task: dag, path: ['spec', group, index, 'dag'] }],
    ),
  )
}

function parameterFindings({ task, path }: Call, target: Loose<DagSpec>): Finding[] {
  const declared = new Map(present(target.parameters).map(([, parameter]) => [parameter.name, parameter]))
  const names = [...declared.keys()].filter(name => name !== undefined)
  const meant = suggester(names)
  const found: Finding[] = []
  const given = new Set<string>()
  for (const [index, { name, value, fromSecret }] of present(task.parameters)) {
    if (name === undefined) continue
    given.add(name)
    const place = [...path, 'parameters', index]
    const parameter = declared.get(name)
    if (parameter === undefined) {
      found.push({
        code: 'PARAMETER_UNKNOWN',
        path: [...place, 'name'],
        message: `the DAG ${task.name ?? ''} declares no parameter ${name}`,
        fix: meant(name, names.length === 0 ? 'remove it' : `use one of ${names.slice(0, 12).join(', ')}`),
      })
    } else if (value !== undefined && !isGiven(fromSecret) && !isTemplate(value)) {
      const problem = valueProblem(parameter, value, 'the value')
      if (problem !== null) found.push({ ...problem, path: [...place, 'value'] })
    }
  }
  for (const [name, parameter] of declared) {
    if (name === undefined || parameter.required !== true || given.has(name)) continue
    found.push({
      code: 'PARAMETER_REQUIRED',
      path: [...path, 'name'],
      message: `the DAG ${task.name ?? ''} needs a value of the parameter ${name}`,
      fix: `add ${name} under dag.parameters`,
    })
  }
  return found
}

function isTemplate(value: unknown): boolean {
  return typeof value === 'string' && value.includes('${{')
}
