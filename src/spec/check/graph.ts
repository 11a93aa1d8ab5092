import { cycles, runOrder } from '../../core/dag/cycle.ts'
import { suggester } from '../../core/nearest.ts'
import { present, texts } from '../loose.ts'
import type { Path } from '../source.ts'
import { at, type TaskView } from './view.ts'
import { checkLabel, checkUnique, type Report } from './words.ts'

/** Names, and what waits for what: everything that makes the tasks of a DAG a graph without circles. */
export function checkGraph(views: readonly TaskView[], report: Report): void {
  checkNames(views, report)
  for (const group of ['task', 'finally'] as const) {
    const inGroup = views.filter(view => view.group === group)
    checkTargets(inGroup, views, report)
    checkCycles(inGroup, report)
  }
}

/** The graph of one group: each name with what it runs after. The first of two tasks of one name counts. */
export function dependenciesOf(views: readonly TaskView[]): Map<string, readonly string[]> {
  const dependencies = new Map<string, readonly string[]>()
  for (const { name, spec } of views) {
    if (name !== undefined && name !== '' && !dependencies.has(name))
      dependencies.set(name, texts(spec.runAfter))
  }
  return dependencies
}

/** Answers whether a task has settled before another starts: by `runAfter`, or since all main tasks come first. */
export function settledBefore(views: readonly TaskView[]): (view: TaskView, earlier: string) => boolean {
  const main = dependenciesOf(views.filter(view => view.group === 'task'))
  const last = dependenciesOf(views.filter(view => view.group === 'finally'))
  const afterInMain = runOrder(main)
  const afterInLast = runOrder(last)
  return (view, earlier) => {
    if (view.name === undefined || view.name === earlier) return false
    if (view.group === 'task') return afterInMain(view.name, earlier)
    return main.has(earlier) || afterInLast(view.name, earlier)
  }
}

/** A circle in a message: a long one is cut in its middle. */
export function shownPath(path: readonly string[]): string {
  if (path.length <= PATH_NAMES_MAX) return path.join(' → ')
  const left = path.length - PATH_NAMES_MAX
  return [...path.slice(0, 8), `(${left} more)`, ...path.slice(8 - PATH_NAMES_MAX)].join(' → ')
}

const PATH_NAMES_MAX = 12

function checkNames(views: readonly TaskView[], report: Report): void {
  const places: [string | undefined, Path][] = []
  for (const view of views) {
    const path = [...view.path, 'name']
    places.push([view.name, path])
    if (view.name === '') {
      report({ code: 'NAME_INVALID', path, message: 'the name of the task is empty', fix: 'name it' })
    } else if (view.name !== undefined) {
      checkLabel('task name', view.name, path, report)
    }
  }
  checkUnique('task name', 'TASK_DUPLICATE', places, report)
}

function checkTargets(group: readonly TaskView[], all: readonly TaskView[], report: Report): void {
  const names = new Map(group.map(view => [view.name, view]))
  const others = new Map(all.map(view => [view.name, view.group]))
  const meant = suggester([...names.keys()].filter(name => name !== undefined))
  for (const view of group) {
    const seen = new Set<string>()
    for (const [index, target] of present(view.spec.runAfter)) {
      const path = at(view, 'runAfter', index)
      if (target === view.name) {
        report({
          code: 'TASK_SELF_REFERENCE',
          path,
          message: `the task ${target} waits for itself`,
          fix: 'remove this entry',
        })
      } else if (!names.has(target)) {
        const elsewhere = others.get(target)
        if (elsewhere !== undefined) report(wrongGroup(target, view, path))
        else {
          report({
            code: 'TASK_UNKNOWN',
            path,
            message: `the task ${view.name ?? ''} waits for ${target}, which is not there`,
            fix: meant(target, 'name a task of this DAG, or remove the entry'),
          })
        }
      } else if (seen.has(target)) {
        report({
          code: 'RUN_AFTER_DUPLICATE',
          severity: 'warning',
          path,
          message: `the task ${view.name ?? ''} waits for ${target} twice`,
          fix: 'remove one of the two entries',
        })
      }
      seen.add(target)
    }
  }
}

function wrongGroup(target: string, view: TaskView, path: Path): Parameters<Report>[0] {
  if (view.group === 'task') {
    return {
      code: 'FINALLY_REFERENCE',
      path,
      message: `the task ${view.name ?? ''} waits for ${target}, which runs at the end of the run`,
      fix: 'move one of the two between task and finally, or remove the entry',
    }
  }
  return {
    code: 'FINALLY_REFERENCE',
    path,
    message: `the task ${view.name ?? ''} under finally runs after all main tasks anyway, so after ${target}`,
    fix: 'remove this entry',
  }
}

function checkCycles(group: readonly TaskView[], report: Report): void {
  const views = new Map(group.toReversed().map(view => [view.name, view]))
  for (const path of cycles(dependenciesOf(group))) {
    const first = views.get(path[0])
    const before = path.at(-2)
    if (first === undefined || before === undefined) continue
    const index = texts(first.spec.runAfter).indexOf(before)
    report({
      code: 'DAG_CYCLE',
      path: at(first, 'runAfter', Math.max(index, 0)),
      message: `tasks wait for each other: ${shownPath(path)}`,
      fix: 'remove one of these runAfter entries',
    })
  }
}
