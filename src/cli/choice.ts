import type { Dag, ParameterValue } from '../core/dag/dag.ts'
import { CommandError } from './exit.ts'
import type { Manifest } from './manifest.ts'
import { assignments } from './values.ts'

/** Which DAG of the files a person means, and with which values. */
export interface Chosen {
  readonly dag: Dag
  readonly parameters: readonly ParameterValue[]
  readonly runName: string | null
}

/** The one DAG that is meant: named, or the only one, or the one that the only DagRun in the files is of. */
export function choose(manifest: Manifest, wanted: string | undefined): Chosen {
  const dags = manifest.dags.filter(({ dag: { name } }) => wanted === undefined || name === wanted)
  const names = manifest.dags.map(({ dag }) => dag.name).join(', ')
  if (wanted !== undefined && dags.length === 0) {
    throw new CommandError(
      'UNKNOWN_DAG',
      `the files hold no DAG ${wanted}`,
      names === '' ? 'name a file with a DAG' : `they hold: ${names}`,
    )
  }
  const runs = manifest.dagRuns.filter(({ dagName }) => wanted === undefined || dagName === wanted)
  const [onlyRun, secondRun] = runs
  if (onlyRun !== undefined && secondRun === undefined) {
    if (onlyRun.action !== null) {
      throw new CommandError(
        'ACTION_NOT_YET',
        `the DagRun ${onlyRun.name ?? ''} asks for a ${onlyRun.action.type}, which documents cannot do yet`,
        `kontroler ${onlyRun.action.type} ${onlyRun.action.run}`,
      )
    }
    const loaded = manifest.dags.find(
      ({ dag }) => dag.name === onlyRun.dagName && dag.namespace === onlyRun.namespace,
    )
    if (loaded !== undefined)
      return { dag: loaded.dag, parameters: onlyRun.parameters, runName: onlyRun.name }
  }
  const [first, second] = dags
  if (first === undefined)
    throw new CommandError('NO_DAG', 'the files hold no DAG', 'name a file with a document of kind DAG')
  if (second !== undefined) {
    throw new CommandError(
      'SEVERAL_DAGS',
      `the files hold several DAGs: ${names}`,
      'choose one with --dag NAME',
    )
  }
  return { dag: first.dag, parameters: [], runName: null }
}

/** What `-p` says wins over what a DagRun document says. */
export function chosenParameters(
  documented: readonly ParameterValue[],
  texts: readonly string[],
): readonly ParameterValue[] {
  const given = assignments('-p', texts)
  const overrides = [...given].map(
    ([name, value]): ParameterValue => ({ name, value: { kind: 'value', value } }),
  )
  return [...documented.filter(({ name }) => !given.has(name)), ...overrides]
}
