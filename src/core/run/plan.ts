import type { Dag, Task } from '../dag/dag.ts'

/** The graph of a run, frozen: every task with the positions of what it waits for and what waits for it. */
export interface Plan {
  /** Main tasks first, in document order, then those under `finally`. */
  readonly nodes: readonly PlanNode[]
  readonly mainCount: number
}

export interface PlanNode {
  readonly task: Task
  readonly part: 'main' | 'finally'
  readonly dependencies: readonly number[]
  readonly dependents: readonly number[]
}

/** @throws {Error} A `runAfter` names a task that is not there: the DAG was not validated. */
export function planOf(dag: Dag): Plan {
  const nodes: (PlanNode & { dependencies: number[]; dependents: number[] })[] = []
  for (const [part, tasks] of [
    ['main', dag.tasks],
    ['finally', dag.finally],
  ] as const) {
    const positions = new Map(tasks.map((task, at) => [task.name, nodes.length + at]))
    for (const task of tasks) {
      const dependencies = [...new Set(task.runAfter)].map(name => {
        const position = positions.get(name)
        if (position === undefined)
          throw new Error(`task ${task.name} runs after ${name}, which is not there`)
        return position
      })
      nodes.push({ task, part, dependencies, dependents: [] })
    }
  }
  nodes.forEach((node, index) => node.dependencies.forEach(before => nodes[before]?.dependents.push(index)))
  return { nodes, mainCount: dag.tasks.length }
}
