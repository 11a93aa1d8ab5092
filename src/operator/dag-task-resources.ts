import type { Problem } from '../core/problem.ts'
import { contentHash } from '../engine/dag-hash.ts'
import { keptDagTask } from '../spec/kept-dag-tasks.ts'
import type { DagTaskStatus } from '../spec/schema/status.ts'
import type { ClusterObject, ObjectListener, ObjectRef } from './cluster.ts'
import { conditionsSince, fieldOf, standingConditions } from './conditions.ts'
import { readDagTask } from './document.ts'
import { keyOf } from './names.ts'
import type { OperatorParts } from './parts.ts'
import { problemText } from './problem-text.ts'
import { writeStatus } from './status-fields.ts'
import { WorkQueue } from './work-queue.ts'

const CONCURRENCY = 16

/** Takes DagTask objects in: each changed text is a new version, and versions stay when the object goes. */
export class DagTaskResources implements ObjectListener {
  readonly #parts: OperatorParts
  readonly #objects = new Map<string, ClusterObject>()
  /** Text of each object that was taken in, by UID and generation. */
  readonly #looked = new Map<string, string>()
  readonly #queue: WorkQueue
  readonly #stored: (namespace: string, name: string) => void

  /** @param stored  A version is in the store that was not there before, or perhaps was. */
  constructor(parts: OperatorParts, stored: (namespace: string, name: string) => void) {
    this.#parts = parts
    this.#stored = stored
    this.#queue = new WorkQueue({
      clock: parts.clock,
      chance: () => parts.chance(),
      concurrency: CONCURRENCY,
      work: key => this.#look(key),
      failed: (key, error) => parts.trouble('DAG_TASK_NOT_TAKEN_IN', `DagTask ${key}: ${String(error)}`),
    })
  }

  get busy(): number {
    return this.#queue.busy
  }

  changed(object: ClusterObject): void {
    const key = keyOf(object.metadata.namespace, object.metadata.name)
    this.#objects.set(key, object)
    this.#queue.add(key)
  }

  gone({ namespace, name, uid }: ObjectRef): void {
    const key = keyOf(namespace, name)
    if (this.#objects.get(key)?.metadata.uid !== uid) return
    this.#objects.delete(key)
    this.#looked.delete(key)
  }

  async close(): Promise<void> {
    await this.#queue.close()
  }

  async #look(key: string): Promise<number | null> {
    const object = this.#objects.get(key)
    if (object === undefined || object.metadata.deletionTimestamp !== null) return null
    const text = `${object.metadata.uid}/${object.metadata.generation}`
    // Its own status comes back as a change.
    if (this.#looked.get(key) === text) return null
    const { store, clock, cluster } = this.#parts
    const { namespace, name } = object.metadata
    const { value, problems } = readDagTask(object)
    let version: number | null = null
    if (value !== null) {
      const content = keptDagTask(value)
      version = await store.putDagTask(namespace, name, content, contentHash(content), clock.now())
      this.#stored(namespace, name)
    }
    const versions = await store.dagTaskVersions(namespace, name)
    const status = dagTaskStatus(
      object,
      problems,
      version ?? versions.at(-1) ?? null,
      versions.length,
      clock.now(),
    )
    await writeStatus(cluster, 'DagTask', object, status)
    if (this.#objects.has(key)) this.#looked.set(key, text)
    return null
  }
}

export function dagTaskStatus(
  object: ClusterObject,
  problems: readonly Problem[],
  version: number | null,
  versions: number,
  now: number,
): DagTaskStatus {
  const broken = problems.some(({ severity }) => severity === 'error')
  const words = broken
    ? problemText(problems)
    : { reason: 'Accepted', message: `this text is version ${version ?? 1}` }
  return {
    observedGeneration: object.metadata.generation,
    ...(version === null ? {} : { version }),
    versions,
    message: words.message,
    conditions: [
      ...conditionsSince(
        standingConditions(broken ? 'stalled' : 'current', words.reason, words.message),
        fieldOf(object.status, 'conditions'),
        object.metadata.generation,
        now,
      ),
    ],
  }
}
