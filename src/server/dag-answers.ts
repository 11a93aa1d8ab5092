import type { Dag, Task } from '../core/dag/dag.ts'
import { moment } from '../core/run/run-data.ts'
import { inWords } from '../core/schedule/words.ts'
import type { Principal } from '../ports/authenticator.ts'
import type { Control } from '../ports/control.ts'
import type { StoredDag } from '../ports/store.ts'
import { mayIn } from './access.ts'
import type { DagAnswer } from './schemas/dag.ts'

export function dagAnswerOf(stored: StoredDag, principal: Principal, control: Control): DagAnswer {
  const { dag, version, hash, createdAt } = stored
  const keeper = control.keeperOf(stored)
  return {
    namespace: dag.namespace,
    name: dag.name,
    version,
    hash,
    keeper,
    createdAt: moment(createdAt),
    suspended: dag.suspended,
    schedules: dag.schedules.map(text => ({ text, words: inWords(text, dag.timeZone) })),
    timeZone: dag.timeZone,
    tasks: dag.tasks.length + dag.finally.length,
    labels: { ...dag.labels },
    parameters: dag.parameters.map(parameter => ({
      ...parameter,
      enum: parameter.enum === null ? null : [...parameter.enum],
    })),
    mayEdit: keeper !== 'file' && mayIn(principal, dag.namespace, 'edit'),
  }
}

/** Tasks with what they wait for; those under `finally` are a graph of their own. */
export function graphOf({ tasks, finally: last }: Dag) {
  const layers = new Map([...layersOf(tasks), ...layersOf(last)])
  const nodeOf = (part: 'main' | 'finally') => (task: Task) => ({
    task: task.name,
    part,
    work: task.work.kind,
    fanOut: task.fanOut !== null,
    triggerRule: task.triggerRule,
    when: task.when,
    layer: layers.get(task.name) ?? 0,
  })
  return {
    nodes: [...tasks.map(nodeOf('main')), ...last.map(nodeOf('finally'))],
    edges: [...tasks, ...last].flatMap(({ name, runAfter }) => runAfter.map(from => ({ from, to: name }))),
  }
}

/** Longest way to each task, in one pass over the tasks that have nothing left to wait for. */
function layersOf(tasks: readonly Task[]): ReadonlyMap<string, number> {
  const layers = new Map<string, number>()
  const missing = new Map(tasks.map(({ name, runAfter }) => [name, runAfter.length]))
  const dependents = new Map<string, string[]>()
  for (const { name, runAfter } of tasks) {
    for (const before of runAfter) {
      const list = dependents.get(before)
      if (list === undefined) dependents.set(before, [name])
      else list.push(name)
    }
  }
  const ready = tasks.filter(({ runAfter }) => runAfter.length === 0).map(({ name }) => name)
  for (let name = ready.pop(); name !== undefined; name = ready.pop()) {
    const layer = layers.get(name) ?? 0
    layers.set(name, layer)
    for (const next of dependents.get(name) ?? []) {
      layers.set(next, Math.max(layers.get(next) ?? 0, layer + 1))
      const left = (missing.get(next) ?? 0) - 1
      missing.set(next, left)
      if (left === 0) ready.push(next)
    }
  }
  return layers
}
