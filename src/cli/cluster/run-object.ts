import type { RunPhase } from '../../core/run/rows.ts'
import { REASONS, type ReasonCode } from '../../core/run/reasons.ts'
import { isTerminal } from '../../core/run/state.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { clusterObject, resourceOf } from '../../operator/kubernetes-cluster.ts'
import { runOfObject, TRIGGER_LABEL } from '../../operator/names.ts'
import type { DagRunSpec } from '../../spec/schema/dag-run.ts'
import type { DagRunStatus, TaskStatus } from '../../spec/schema/status.ts'
import { CommandError } from '../exit.ts'
import { ASKED, type Session } from './session.ts'

/** A DagRun as the API server has it. People may have written anything into its spec that the CRD lets through. */
export type DagRunObject = KubeObject & {
  readonly spec?: Partial<DagRunSpec>
  readonly status?: DagRunStatus
}

/** What a DagRun says of its run. */
export interface ClusterRun {
  readonly object: DagRunObject
  readonly name: string
  readonly namespace: string
  readonly uid: string
  /** Id of the run: its pods carry it. */
  readonly id: string
  readonly dag: string
  /** `pending`: the run has not begun. */
  readonly phase: RunPhase | 'pending'
  /** Code of why it waits or ended so; of a run that has not begun it may be that of a problem. */
  readonly reason: string | null
  readonly message: string
  readonly progress: { readonly done: number; readonly total: number } | null
  readonly dagVersion: number | null
  readonly createdAt: number
  readonly startedAt: number | null
  readonly endedAt: number | null
  readonly tasks: readonly TaskStatus[]
  readonly trigger: string
  /** A controller has looked at what the spec says now. */
  readonly isSeen: boolean
  /** It has not begun, and nothing will begin until somebody changes something. */
  readonly isStuck: boolean
}

const PHASES: readonly string[] = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']
const isPhase = (text: string): text is RunPhase => PHASES.includes(text)

export function runOf(object: DagRunObject): ClusterRun {
  const { metadata, spec = {}, status = {} } = object
  const said = status.phase ?? ''
  const phase = isPhase(said) ? said : 'pending'
  const [, done, total] = /^(\d+)\/(\d+)$/u.exec(status.progress ?? '') ?? []
  const isSeen = (status.observedGeneration ?? 0) >= (metadata.generation ?? 1)
  const stalled = status.conditions?.find(({ type }) => type === 'Stalled')
  return {
    object,
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    uid: metadata.uid,
    id: status.runId ?? runOfObject(clusterObject(object)).run,
    dag: spec.dagName ?? '',
    phase,
    reason: status.reason ?? null,
    message: status.phase === undefined ? 'no controller has looked at it yet' : (status.message ?? ''),
    progress: total === undefined ? null : { done: Number(done), total: Number(total) },
    dagVersion: status.dagVersion ?? null,
    createdAt: timeOf(metadata.creationTimestamp) ?? 0,
    startedAt: timeOf(status.startTime),
    endedAt: timeOf(status.completionTime),
    tasks: status.tasks ?? [],
    trigger: metadata.labels?.[TRIGGER_LABEL] ?? 'dagRun',
    isSeen,
    isStuck: phase === 'pending' && isSeen && stalled?.status === 'True',
  }
}

export const isOver = ({ phase, endedAt }: ClusterRun): boolean =>
  endedAt !== null || (phase !== 'pending' && isTerminal(phase))

/** A reason as one of the closed list; null for what is none, such as the code of a problem. */
export const reasonOf = ({ reason }: { readonly reason?: string | null | undefined }): ReasonCode | null =>
  typeof reason === 'string' && Object.hasOwn(REASONS, reason) ? (reason as ReasonCode) : null

/** All DagRuns of a namespace, newest first. */
export async function allRuns(
  session: Session,
  query: { readonly namespace?: string; readonly labelSelector?: string } = { namespace: session.namespace },
): Promise<readonly ClusterRun[]> {
  const { items } = await session.client.list<DagRunObject>(resourceOf('DagRun'), query, ASKED)
  return items.map(runOf).toSorted(newestFirst)
}

/** Creation times have whole seconds, so runs of one second are told apart by when they began. */
const newestFirst = (a: ClusterRun, b: ClusterRun): number =>
  b.createdAt - a.createdAt ||
  (b.startedAt ?? Number.POSITIVE_INFINITY) - (a.startedAt ?? Number.POSITIVE_INFINITY) ||
  (a.name < b.name ? 1 : -1)

/**
 * Finds the DagRun that a person means: by its name, `dr/NAME` or the id of its run, the beginning of either, or
 * `@last`.
 * @throws {CommandError} None or several.
 */
export async function findClusterRun(session: Session, text: string): Promise<ClusterRun> {
  const { namespace, client } = session
  const name = text.replace(/^(?:dr|dagruns?)\//u, '')
  if (/^[a-z0-9][-a-z0-9.]*$/u.test(name)) {
    try {
      return runOf(await client.get<DagRunObject>(resourceOf('DagRun'), { namespace, name }, ASKED))
    } catch (error) {
      if (!isProblem(error, 'notFound')) throw error
    }
  }
  const runs = await allRuns(session)
  if (name === '@last') {
    const [last] = runs
    if (last !== undefined) return last
    throw new CommandError(
      'UNKNOWN_RUN',
      `namespace ${namespace} has no DagRun`,
      session.command('submit', 'DAG'),
    )
  }
  const found = runs.filter(run => run.name.startsWith(name) || run.id.startsWith(name))
  const [only, second] = found
  if (only === undefined) {
    throw new CommandError(
      'UNKNOWN_RUN',
      `there is no DagRun ${name} in namespace ${namespace}`,
      `see ${session.command('list')}`,
    )
  }
  if (second !== undefined && found.filter(run => run.id === name).length !== 1) {
    const names = found.slice(0, 10).map(run => `${run.name} (${run.id})`)
    throw new CommandError(
      'AMBIGUOUS_RUN',
      `${name} may be any of: ${names.join(', ')}${found.length > 10 ? ', …' : ''}`,
      'give more of the name, or the id',
    )
  }
  return found.find(run => run.id === name) ?? only
}

export function timeOf(text: string | undefined): number | null {
  const at = Date.parse(text ?? '')
  return Number.isNaN(at) ? null : at
}
