import type { Dag } from '../../core/dag/dag.ts'
import { type ApiProblem, isProblem } from '../../kubernetes/problem.ts'
import { startReflector } from '../../kubernetes/reflector.ts'
import { resourceOf } from '../../operator/kubernetes-cluster.ts'
import { CommandError, EXIT } from '../exit.ts'
import { dagObject, dagOf, versionInForce } from './dag-object.ts'
import { type ClusterRun, type DagRunObject, isOver, runOf } from './run-object.ts'
import type { Session } from './session.ts'
import { clusterTrouble } from './trouble.ts'

/** After this time without a word of a controller, a person is told so. */
const UNSEEN_MS = 10_000

export interface Following {
  /** The run, each time it is other than before; begins with what is there now. */
  changed(run: ClusterRun): void
  /** What a person should know meanwhile. */
  say(text: string): void
  /** Ends it before the run does. */
  readonly signal?: AbortSignal
}

/**
 * Follows a DagRun until it is such.
 *
 * @returns The run as it was then; null when `signal` ended it before.
 * @throws {CommandError} It was removed, or must not be read or watched.
 */
export async function followRun(
  { client, command }: Session,
  run: ClusterRun,
  is: (run: ClusterRun) => boolean,
  following: Following,
): Promise<ClusterRun | null> {
  const { promise, resolve, reject } = Promise.withResolvers<ClusterRun | null>()
  const { namespace, name, uid } = run
  let last = run
  const take = (object: DagRunObject): void => {
    if (object.metadata.uid !== uid) return
    last = runOf(object)
    following.changed(last)
    if (is(last)) resolve(last)
  }
  const gone = (): void =>
    reject(
      new CommandError(
        'UNKNOWN_RUN',
        `DagRun ${name} was removed meanwhile; its run is cancelled`,
        `see ${command('list')}`,
        EXIT.failed,
      ),
    )
  const leave = (): void => resolve(null)
  following.signal?.addEventListener('abort', leave)
  take(run.object)
  const unseen = setTimeout(() => {
    if (!last.isSeen && !isOver(last)) following.say(unseenText(last))
  }, UNSEEN_MS)
  await using reflector = startReflector({
    client,
    resource: resourceOf('DagRun'),
    namespace,
    fieldSelector: `metadata.name=${name}`,
    listener: {
      changed: object => take(object),
      deleted: before => (before.uid === uid ? gone() : undefined),
      // A DagRun that went before the first list is no difference to anything.
      listed: objects => (objects === 0 ? gone() : undefined),
      trouble: error => {
        if (isFatal(error)) reject(clusterTrouble(error, reflector.state().lists > 0 ? 'watch' : undefined))
        else if (isProblem(error)) following.say(`warning: ${error.detail}; trying again`)
      },
    },
  })
  try {
    return await promise
  } finally {
    clearTimeout(unseen)
    following.signal?.removeEventListener('abort', leave)
    await reflector.stop()
  }
}

const unseenText = ({ name, namespace }: ClusterRun): string =>
  `warning: no controller has looked at DagRun ${name} yet; is one running that serves namespace ${namespace}?`

/** Trying again does not help. */
const isFatal = (error: unknown): error is ApiProblem =>
  isProblem(error, 'forbidden', 'unauthorized', 'credentials', 'notFound', 'untrusted')

/** Reads the DAG of a run, again only when the run turns out to be of another version. */
export class DagOfRun {
  readonly #session: Session
  #version: number | null = null
  #dag: Dag | null = null

  constructor(session: Session) {
    this.#session = session
  }

  /** Null when the version is not the one in force any more, or the DAG is gone or must not be read. */
  async read({ dag, dagVersion, namespace }: ClusterRun): Promise<Dag | null> {
    if (dagVersion === null || dag === '') return null
    if (this.#version === dagVersion) return this.#dag
    this.#dag = await this.#readVersion(dag, namespace, dagVersion)
    this.#version = dagVersion
    return this.#dag
  }

  async #readVersion(name: string, namespace: string, version: number): Promise<Dag | null> {
    try {
      const object = await dagObject(this.#session, name, namespace)
      if (object === null || versionInForce(object) !== version) return null
      return (await dagOf(this.#session, object)).dag
    } catch (error) {
      if (!isProblem(error, 'forbidden')) throw error
      return null
    }
  }
}
