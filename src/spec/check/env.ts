import { present } from '../loose.ts'
import { shown } from '../shape.ts'
import { at, type TaskView } from './view.ts'
import { asIdentifier, isReserved, isVariableName, type Report } from './words.ts'

const SOURCES = ['secretKeyRef', 'configMapKeyRef', 'fieldRef', 'resourceFieldRef'] as const

/** Variables: names the kernel and Kubernetes take, and one source each. */
export function checkEnv(view: TaskView, report: Report): void {
  const seen = new Set<string>()
  for (const [index, variable] of present(view.spec.env)) {
    const path = at(view, 'env', index)
    const namePath = at(view, 'env', index, 'name')
    const { name, value, valueFrom } = variable
    if (name !== undefined && !isVariableName(name)) {
      report({
        code: 'ENV_NAME',
        path: namePath,
        message: `${shown(name)} cannot be the name of an environment variable`,
        fix: `call it ${asIdentifier(name)}`,
      })
    } else if (name !== undefined && isReserved(name)) {
      report({
        code: 'ENV_NAME',
        path: namePath,
        message: `the variable ${name} belongs to the engine`,
        fix: 'choose a name that does not start with KONTROLER_',
      })
    }
    if (name !== undefined && seen.has(name)) {
      report({
        code: 'ENV_DUPLICATE',
        severity: 'warning',
        path: namePath,
        message: `the variable ${name} is there twice; the last one wins`,
        fix: 'remove one of the two',
      })
    }
    if (name !== undefined) seen.add(name)
    if (valueFrom === undefined) continue
    const sources = SOURCES.filter(source => valueFrom[source] !== undefined)
    if (value !== undefined && value !== '') {
      report({
        code: 'ENV_SOURCE',
        path: at(view, 'env', index, 'valueFrom'),
        on: 'key',
        message: `the variable ${name ?? ''} has value and valueFrom`,
        fix: 'keep one of the two',
      })
    } else if (sources.length !== 1) {
      report({
        code: 'ENV_SOURCE',
        path: sources.length === 0 ? path : at(view, 'env', index, 'valueFrom', sources[1] ?? ''),
        on: 'key',
        message: `valueFrom of ${name ?? 'a variable'} needs exactly one source, but has ${sources.length}`,
        fix: `use one of ${SOURCES.join(', ')}`,
      })
    }
    for (const source of ['secretKeyRef', 'configMapKeyRef'] as const) {
      const ref = valueFrom[source]
      if (ref !== undefined && (ref.name === undefined || ref.name === '')) {
        report({
          code: 'SECRET_NAME',
          path: at(view, 'env', index, 'valueFrom', source, 'name'),
          message: `${source} of ${name ?? 'a variable'} names no object`,
          fix: 'add name',
        })
      }
    }
  }
}
