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

  /** Keys of the DAGs that use a DagTask. */
  users(namespace: string, dagTask: string): readonly string[] {
    return [...(this.#needers.get(`DagTask ${keyOf(namespace, dagTask)}`) ?? [])]
  }

  /** Keys of the DAGs that call a DAG, and of those that call these: a circle may be closed or broken far away. */
  callers(namespace: string, dag: string): readonly string[] {
    const found = new Set<string>()
    const open = [keyOf(namespace, dag)]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const caller of this.#needers.get(`DAG ${next}`) ?? []) {
        if (found.has(caller)) continue
        found.add(caller)
        open.push(caller)
      }
    }
    return [...found]
  }
}

function needsOf(namespace: string, { dagTasks, dags }: References): readonly string[] {
  return [
    ...dagTasks.map(({ name }) => `DagTask ${keyOf(namespace, name)}`),
    ...dags.map(name => `DAG ${keyOf(namespace, name)}`),
  ]
}
