import type { References } from './document.ts'
import { keyOf } from './names.ts'

/** Which DAGs need which other objects, so that a change finds them without a look at all. */
export class Needs {
  readonly #needers = new Map<string, Set<string>>()

  add(namespace: string, dag: string, references: References): void {
    for (const need of needsOf(namespace, references)) {
      const needers = this.#needers.get(need) ?? new Set()
      needers.add(keyOf(namespace, dag))
      this.#needers.set(need, needers)
    }
  }

  remove(namespace: string, dag: string, references: References): void {
    for (const need of needsOf(namespace, references)) {
      const needers = this.#needers.get(need)
      needers?.delete(keyOf(namespace, dag))
      if (needers?.size === 0) this.#needers.delete(need)
    }
  }

  /** Keys of the DAGs that need the object. */
  of(kind: 'DAG' | 'DagTask', namespace: string, name: string): readonly string[] {
    return [...(this.#needers.get(`${kind} ${keyOf(namespace, name)}`) ?? [])]
  }
}

function needsOf(namespace: string, { dagTasks, dags }: References): readonly string[] {
  return [
    ...dagTasks.map(({ name }) => `DagTask ${keyOf(namespace, name)}`),
    ...dags.map(name => `DAG ${keyOf(namespace, name)}`),
  ]
}
