import { suggester } from '../../core/nearest.ts'
import { present, type Loose } from '../loose.ts'
import type { DagRunDocument } from '../schema/dag-run.ts'
import type { DagSpec } from '../schema/dag.ts'
import { checkMetadata } from './metadata.ts'
import { checkNamedValues, isGiven, valueProblem } from './parameters.ts'
import type { Report } from './words.ts'

/**
 * The second pass over a DagRun.
 *
 * @param dag  The DAG that it names, when its document is at hand: then names and types of parameters are checked.
 */
export function checkDagRun(
  document: Loose<DagRunDocument>,
  dag: Loose<DagSpec> | undefined,
  report: Report,
): void {
  checkMetadata(document.metadata, 'DagRun', report)
  const spec = document.spec ?? {}
  if (spec.dagName === '') {
    report({
      code: 'FIELD_MISSING',
      path: ['spec', 'dagName'],
      message: 'spec.dagName is empty',
      fix: 'name the DAG to run',
    })
  }
  checkNamedValues(spec.parameters, ['spec', 'parameters'], report)
  if (dag !== undefined) checkAgainst(document, dag, report)
  checkAction(spec.action, report)
}

function checkAgainst(document: Loose<DagRunDocument>, dag: Loose<DagSpec>, report: Report): void {
  const declared = new Map(present(dag.parameters).map(([, parameter]) => [parameter.name, parameter]))
  const names = [...declared.keys()].filter(name => name !== undefined)
  const meant = suggester(names)
  const given = new Set<string>()
  for (const [index, { name, value, fromSecret }] of present(document.spec?.parameters)) {
    if (name === undefined || name === '') continue
    given.add(name)
    const parameter = declared.get(name)
    const path = ['spec', 'parameters', index]
    if (parameter === undefined) {
      report({
        code: 'PARAMETER_UNKNOWN',
        path: [...path, 'name'],
        message: `the DAG ${document.spec?.dagName ?? ''} declares no parameter ${name}`,
        fix: meant(name, names.length === 0 ? 'remove it' : `use one of ${names.slice(0, 12).join(', ')}`),
      })
    } else if (value !== undefined && !isGiven(fromSecret)) {
      const problem = valueProblem(parameter, value, 'the value')
      if (problem !== null) report({ ...problem, path: [...path, 'value'] })
    }
  }
  if (document.spec?.action !== undefined) return // an earlier run brings its parameters along
  for (const [name, parameter] of declared) {
    if (name === undefined || parameter.required !== true || given.has(name)) continue
    report({
      code: 'PARAMETER_REQUIRED',
      path: ['spec', 'parameters'],
      on: 'key',
      message: `the parameter ${name} needs a value`,
      fix: `add it under spec.parameters`,
    })
  }
}

function checkAction(
  action: Loose<NonNullable<DagRunDocument['spec']['action']>> | undefined,
  report: Report,
): void {
  if (action === undefined) return
  if (action.run === '') {
    report({
      code: 'FIELD_MISSING',
      path: ['spec', 'action', 'run'],
      message: 'spec.action.run is empty',
      fix: 'name the run',
    })
  }
  if (action.type === 'fork' && !isGiven(action.task)) {
    report({
      code: 'FIELD_MISSING',
      path: ['spec', 'action', 'task'],
      message: 'a fork needs the task to start from',
      fix: 'add task, or use type: retry',
    })
  } else if (action.type === 'retry' && isGiven(action.task)) {
    report({
      code: 'FIELD_IGNORED',
      severity: 'warning',
      path: ['spec', 'action', 'task'],
      on: 'key',
      message: 'task means nothing in a retry, which runs again whatever did not succeed',
      fix: 'remove it, or use type: fork',
    })
  }
}
