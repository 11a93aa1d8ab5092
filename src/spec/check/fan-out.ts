import { LIMITS } from '../../core/limits.ts'
import { shown } from '../shape.ts'
import { at, type TaskView } from './view.ts'
import { asIdentifier, isIdentifier, type Report } from './words.ts'

/** Number of items that a fan-out is known to have; 1 without one, and where only a run can tell. */
export function knownItems(view: TaskView): number {
  const { forEach, matrix } = view.spec
  if (Array.isArray(forEach)) return forEach.length
  if (matrix === undefined) return 1
  return Object.values(matrix).reduce((product, values) => product * (values?.length ?? 1), 1)
}

export function checkFanOut(view: TaskView, report: Report): void {
  const { forEach, matrix, maxParallel } = view.spec
  if (forEach !== undefined && matrix !== undefined) {
    report({
      code: 'FAN_OUT_BOTH',
      path: at(view, 'matrix'),
      on: 'key',
      message: 'a task has forEach or matrix, not both',
      fix: 'put the list of forEach into the matrix under a name',
    })
  }
  if (forEach === undefined && matrix === undefined && maxParallel !== undefined) {
    report({
      code: 'FIELD_IGNORED',
      severity: 'warning',
      path: at(view, 'maxParallel'),
      on: 'key',
      message: 'maxParallel means nothing without forEach or matrix',
      fix: 'remove it, or set spec.maxParallelTasks for the whole run',
    })
  }
  checkMatrix(view, report)
  const items = knownItems(view)
  if (items > LIMITS.fanOutItemsMax) {
    report({
      code: 'FAN_OUT_SIZE',
      path: at(view, forEach === undefined ? 'matrix' : 'forEach'),
      on: 'key',
      message: `the fan-out has ${items} items, more than ${LIMITS.fanOutItemsMax}`,
      fix: 'let one item do more',
    })
  } else if (items === 0) {
    report({
      code: 'FAN_OUT_EMPTY',
      severity: 'warning',
      path: at(view, forEach === undefined ? 'matrix' : 'forEach'),
      on: 'key',
      message: 'the fan-out is over nothing, so the task never runs anything',
      fix: 'add an item, or remove the task',
    })
  }
}

function checkMatrix(view: TaskView, report: Report): void {
  const { matrix } = view.spec
  if (matrix === undefined) return
  const names = Object.keys(matrix)
  if (names.length === 0) {
    report({
      code: 'FAN_OUT_EMPTY',
      path: at(view, 'matrix'),
      message: 'the matrix has no list',
      fix: 'add a list, such as os: [linux, mac]',
    })
  }
  for (const name of names) {
    if (isIdentifier(name)) continue
    report({
      code: 'MATRIX_NAME',
      path: at(view, 'matrix', name),
      on: 'key',
      message: `the list ${shown(name)} of the matrix cannot be named in expressions`,
      fix: `call it ${asIdentifier(name)}`,
    })
  }
}
