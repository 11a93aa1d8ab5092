import { at, type TaskView } from './view.ts'
import { taskName } from './work.ts'
import type { Report } from './words.ts'

/** Fields in which `${{ }}` would never be rendered, or would be a hole. */
const FIELDS = [
  'script',
  'image',
  'scriptInjectorImage',
  'podTemplate',
  'resources',
  'forEach',
  'matrix',
  'pool',
  'timeout',
  'pendingTimeout',
] as const

/** Refuses `${{ }}` where it has no place; in a script, since data would become code. */
export function checkNoTemplates(view: TaskView, report: Report): void {
  for (const field of FIELDS) {
    if (field === 'forEach' && typeof view.spec.forEach === 'string') continue // told with the expressions
    for (const [rest, text] of textsIn(view.spec[field], [])) {
      const offset = text.indexOf('${{')
      if (offset < 0) continue
      const isScript = field === 'script'
      report({
        code: isScript ? 'TEMPLATE_IN_SCRIPT' : 'TEMPLATE_NOT_HERE',
        path: at(view, field, ...rest),
        offset,
        message: isScript
          ? `the script of ${taskName(view)} holds \${{ }}, which would let data become code`
          : `\${{ }} is not rendered in ${field}`,
        fix: isScript
          ? 'put it into env, and read the variable in the script'
          : 'write the value itself; ${{ }} has its place in command, args and env',
      })
    }
  }
}

function* textsIn(
  value: unknown,
  path: (string | number)[],
): Generator<[path: (string | number)[], text: string]> {
  if (typeof value === 'string') yield [path, value]
  else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* textsIn(item, [...path, index])
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) yield* textsIn(item, [...path, key])
  }
}
