import type { Problem } from '../core/problem.ts'
import type { ProblemCode } from '../core/problem-codes.ts'
import { continued } from '../core/run/again.ts'
import { createRun } from '../core/run/create.ts'
import type { ReusedTask, RunCreated } from '../core/run/events.ts'
import { type RunState, isTerminal } from '../core/run/state.ts'
import { meantOr } from '../core/nearest.ts'
import type { StoredDag, StoredRun } from '../ports/store.ts'
import type { LoadedDagRun } from '../spec/load.ts'
import type { ClusterObject } from './cluster.ts'
import { readDagRun } from './document.ts'

/** What an object asks for: a run that can be made, or why not. */
export type Order =
  | {
      readonly kind: 'run'
      readonly stored: StoredDag
      readonly created: RunCreated
      readonly reused: readonly ReusedTask[]
    }
  /** It heals by itself when what it waits for comes. */
  | { readonly kind: 'waits'; readonly problem: Problem }
  | { readonly kind: 'wrong'; readonly problems: readonly Problem[] }

/** A run that another one continues. */
export interface OldRun {
  readonly row: StoredRun
  /** All of it, made from its whole log: only for what has ended. Null when it was removed meanwhile. */
  state(): Promise<RunState | null>
}

/** What an order has to be told. All names are of the object's own namespace. */
export interface OrderContext {
  /** The DAG of this name; `soon` while it is being taken in. */
  dag(name: string): Promise<StoredDag | 'soon' | 'broken' | 'none'>
  dagNames(): readonly string[]
  /** A run by the name of its DagRun, or by its id; `soon` while that DagRun has no run yet. */
  run(name: string): Promise<OldRun | 'soon' | null>
  version(hash: string): Promise<StoredDag | null>
  now(): number
}

/**
 * The run that a DagRun asks for. Asked again it gives the same run: id and trigger key are the object's UID.
 */
export async function orderOf(object: ClusterObject, context: OrderContext): Promise<Order> {
  const { value, problems } = readDagRun(object)
  if (value === null) return { kind: 'wrong', problems }
  const { action } = value
  if (action === null) {
    const stored = await context.dag(value.dagName)
    if (typeof stored === 'string') return noDag(value.dagName, stored, context)
    return made(object, value, stored, { parameters: value.parameters, reused: [] }, null, context.now())
  }
  const own = action.run === object.metadata.name || action.run === object.metadata.uid
  const old = own ? null : await context.run(action.run)
  if (old === null || old === 'soon') return noRun(action.run, old === 'soon', own)
  return await orderAgain(object, value, old, context)
}

async function orderAgain(
  object: ClusterObject,
  value: LoadedDagRun,
  old: OldRun,
  context: OrderContext,
): Promise<Order> {
  const { id, name, dag, dagHash, phase } = old.row
  if (dag !== value.dagName) {
    const message = `the run ${name} is one of the DAG ${dag}, not of ${value.dagName}`
    return wrong('RUN_OF_OTHER_DAG', ['spec', 'dagName'], message, `write dagName: ${dag}`)
  }
  if (!isTerminal(phase)) {
    const message = `the run ${name} is ${phase}; this one begins when it has ended`
    return waits('RUN_NOT_FINISHED', ['spec', 'action', 'run'], message, 'wait, or cancel that run')
  }
  const fork = value.action?.type === 'fork'
  if (!fork && phase === 'succeeded') {
    const fix = 'use type: fork and name the task to start from'
    return wrong('NOTHING_TO_RETRY', ['spec', 'action', 'run'], `the run ${name} succeeded`, fix)
  }
  const stored = await context.version(dagHash)
  if (stored === null) return noDag(value.dagName, 'none', context)
  const state = await old.state()
  if (state === null) return noRun(name, false, false)
  const from = fork ? [value.action?.task ?? ''] : null
  const taken = continued(state, stored.dag, from, value.parameters)
  if (!taken.ok) return { kind: 'wrong', problems: taken.problems }
  return made(object, value, stored, taken.value, id, context.now())
}

function made(
  object: ClusterObject,
  value: LoadedDagRun,
  stored: StoredDag,
  begins: { readonly parameters: LoadedDagRun['parameters']; readonly reused: readonly ReusedTask[] },
  continues: string | null,
  now: number,
): Order {
  const { uid, name } = object.metadata
  const created = createRun(
    {
      run: uid,
      name,
      dag: stored.dag,
      dagHash: stored.hash,
      parameters: begins.parameters,
      labels: value.labels,
      trigger: { kind: 'dagRun', key: uid },
      continues,
      workdir: null,
    },
    now,
  )
  if (!created.ok) return { kind: 'wrong', problems: created.problems.map(inManifest) }
  return { kind: 'run', stored, created: created.value, reused: begins.reused }
}

/** Parameters of a DagRun are written in its text, not on a command line. */
function inManifest(problem: Problem): Problem {
  if (problem.code !== 'PARAMETER_REQUIRED') return problem
  return { ...problem, path: ['spec', 'parameters'], fix: 'add it under spec.parameters' }
}

function noDag(name: string, why: 'soon' | 'broken' | 'none', context: OrderContext): Order {
  const path = ['spec', 'dagName']
  switch (why) {
    case 'soon':
      return waits('UNKNOWN_DAG', path, `the DAG ${name} is being taken in`, 'nothing to do')
    case 'broken':
      return waits(
        'UNKNOWN_DAG',
        path,
        `the DAG ${name} has problems and never was in force`,
        'correct the DAG',
      )
    case 'none': {
      const fix = meantOr(name, context.dagNames(), 'apply the DAG, or correct dagName')
      return waits('UNKNOWN_DAG', path, `there is no DAG ${name} in this namespace`, fix)
    }
  }
}

function noRun(name: string, soon: boolean, own: boolean): Order {
  const path = ['spec', 'action', 'run']
  if (own) return wrong('UNKNOWN_RUN', path, 'a DagRun cannot continue itself', 'name another run')
  if (soon)
    return waits('RUN_NOT_FINISHED', path, `the DagRun ${name} has not begun`, 'see what it waits for')
  return waits('UNKNOWN_RUN', path, `there is no run ${name} in this namespace`, 'correct the name')
}

function waits(code: ProblemCode, path: Problem['path'], message: string, fix: string): Order {
  return { kind: 'waits', problem: { code, severity: 'error', path, message, fix } }
}

function wrong(code: ProblemCode, path: Problem['path'], message: string, fix: string): Order {
  return { kind: 'wrong', problems: [{ code, severity: 'error', path, message, fix }] }
}
