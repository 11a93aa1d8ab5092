import { meantOr } from '../../core/nearest.ts'
import type { ParameterType } from '../../core/dag/dag.ts'
import { present, type Loose } from '../loose.ts'
import type { ParameterSpec } from '../schema/dag.ts'
import { nameOf, shown } from '../shape.ts'
import type { Finding, Path } from '../source.ts'
import { valueText } from './values.ts'
import { asIdentifier, checkUnique, isIdentifier, isReserved, isVariableName, type Report } from './words.ts'

/** Whether a field has content: an empty text counts as none, as it does upstream. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== ''
}

/** Declared parameters of a DAG: names that can be variables, exactly one default, values that fit. */
export function checkParameters(
  parameters: Loose<ParameterSpec[]> | undefined,
  path: Path,
  report: Report,
): void {
  for (const [index, parameter] of present(parameters)) {
    const place = [...path, index]
    if (parameter.name !== undefined) checkParameterName(parameter.name, [...place, 'name'], report)
    checkDefault(parameter, place, report)
    checkValues(parameter, place, report)
  }
  checkNamesOnce(parameters, path, report)
}

/** Fields of an approval's form. Their answers become outputs, so their names must be names in CEL too. */
export function checkForm(form: Loose<ParameterSpec[]> | undefined, path: Path, report: Report): void {
  for (const [index, field] of present(form)) {
    const place = [...path, index]
    const { name } = field
    if (name !== undefined && !isIdentifier(name)) {
      report({
        code: 'OUTPUT_NAME',
        path: [...place, 'name'],
        message: `the form field ${shown(name)} may hold only letters, digits and _, and no digit first`,
        fix: `call it ${asIdentifier(name)}`,
      })
    }
    if (isGiven(field.defaultFromSecret)) {
      report({
        code: 'FORM_SECRET',
        path: [...place, 'defaultFromSecret'],
        message: 'a form shows its defaults, so they cannot come from a Secret',
        fix: 'use defaultValue, or leave the default out',
      })
    }
    checkValues(field, place, report)
  }
  checkNamesOnce(form, path, report)
}

function checkNamesOnce(parameters: Loose<ParameterSpec[]> | undefined, path: Path, report: Report): void {
  const names = present(parameters).map(([index, { name }]) => [name, [...path, index, 'name']] as const)
  checkUnique('parameter', 'PARAMETER_DUPLICATE', names, report)
}

function checkParameterName(name: string, path: Path, report: Report): void {
  if (isReserved(name)) {
    report({
      code: 'PARAMETER_NAME',
      path,
      message: `the parameter ${name} would hide a variable of the engine`,
      fix: 'choose a name that does not start with KONTROLER_',
    })
  } else if (!isVariableName(name)) {
    report({
      code: 'PARAMETER_NAME',
      path,
      message: `the parameter ${shown(name)} cannot be the name of an environment variable`,
      fix: `call it ${asIdentifier(name)}`,
    })
  } else if (!isIdentifier(name)) {
    report({
      code: 'PARAMETER_NAME',
      severity: 'warning',
      path,
      message: `the parameter ${name} is a variable that shells cannot read`,
      fix: `call it ${asIdentifier(name)}`,
    })
  }
}

function checkDefault(parameter: Loose<ParameterSpec>, path: Path, report: Report): void {
  const hasValue = parameter.defaultValue !== undefined
  const hasSecret = isGiven(parameter.defaultFromSecret)
  const name = parameter.name ?? nameOf(path)
  if (hasSecret && isGiven(parameter.defaultValue)) {
    report({
      code: 'PARAMETER_DEFAULT',
      path: [...path, 'defaultFromSecret'],
      message: `the parameter ${name} has two defaults`,
      fix: 'keep defaultValue or defaultFromSecret',
    })
  } else if (parameter.required === true && (hasValue || hasSecret)) {
    report({
      code: 'PARAMETER_DEFAULT',
      path: [...path, 'required'],
      message: `the parameter ${name} is required, so its default would never be used`,
      fix: 'remove required, or the default',
    })
  } else if (parameter.required !== true && !hasValue && !hasSecret) {
    report({
      code: 'PARAMETER_DEFAULT',
      path,
      message: `the parameter ${name} has no default`,
      fix: 'add defaultValue or defaultFromSecret, or required: true',
    })
  }
  checkSecretRef(parameter.defaultFromSecret, [...path, 'defaultFromSecret'], report)
  if (hasSecret && parameter.type !== undefined && parameter.type !== 'string') {
    report({
      code: 'PARAMETER_SECRET_TYPE',
      path: [...path, 'type'],
      message: `the parameter ${name} comes from a Secret, whose values are text`,
      fix: 'remove the type',
    })
  }
}

/** A Secret's name must not be empty; that nothing checks its existence here is on purpose. */
export function checkSecretRef(
  ref: string | Loose<{ name: string; key?: string | undefined }> | undefined,
  path: Path,
  report: Report,
): void {
  if (typeof ref !== 'object') return
  for (const field of ['name', 'key'] as const) {
    if (ref[field] === '')
      report({
        code: 'SECRET_NAME',
        path: [...path, field],
        message: `the ${field} is empty`,
        fix: `name it`,
      })
  }
}

function checkValues(parameter: Loose<ParameterSpec>, path: Path, report: Report): void {
  const type: ParameterType = parameter.type ?? 'string'
  const allowed: string[] = []
  parameter.enum?.forEach((value, index) => {
    const text = valueText(type, value)
    if (text.ok) allowed.push(text.text)
    else {
      report({
        code: 'PARAMETER_ENUM',
        path: [...path, 'enum', index],
        message: `an allowed value ${text.message}`,
        fix: text.fix,
      })
    }
  })
  checkUnique(
    'allowed value',
    'PARAMETER_ENUM',
    allowed.map((text, index) => [text, [...path, 'enum', index]] as const),
    report,
  )
  if (parameter.defaultValue === undefined) return
  // An empty default beside a Secret is no default; the Secret is.
  if (parameter.defaultValue === '' && isGiven(parameter.defaultFromSecret)) return
  const problem = valueProblem(parameter, parameter.defaultValue, 'the default')
  if (problem !== null) report({ ...problem, path: [...path, 'defaultValue'] })
}

/** What is wrong with a value of a parameter: its type, or that it is not among the allowed. */
export function valueProblem(
  parameter: Loose<ParameterSpec>,
  value: unknown,
  what: string,
): Omit<Finding, 'path'> | null {
  const type: ParameterType = parameter.type ?? 'string'
  const text = valueText(type, value)
  const name = parameter.name ?? 'the parameter'
  if (!text.ok) {
    const code = text.notText === true ? 'FIELD_NOT_TEXT' : 'PARAMETER_TYPE'
    return { code, message: `${what} of ${name} ${text.message}`, fix: text.fix }
  }
  if (parameter.enum === undefined) return null
  const allowed = parameter.enum.flatMap(item => {
    const option = valueText(type, item)
    return option.ok ? [option.text] : []
  })
  if (allowed.length === 0 || allowed.includes(text.text)) return null
  return {
    code: 'PARAMETER_ENUM',
    message: `${what} of ${name} is ${shown(text.text)}, which is not one of ${allowed.join(', ')}`,
    fix: meantOr(text.text, allowed, `use one of ${allowed.join(', ')}`),
  }
}

/** Parameters handed over somewhere, by name: value or Secret, no name twice. */
export function checkNamedValues(
  values:
    | Loose<{ name: string; value?: unknown; fromSecret?: string | { name: string; key?: string } }[]>
    | undefined,
  path: Path,
  report: Report,
): void {
  for (const [index, item] of present(values)) {
    const place = [...path, index]
    const name = item.name ?? nameOf(place)
    if (item.name === '')
      report({
        code: 'PARAMETER_NAME',
        path: [...place, 'name'],
        message: 'the name is empty',
        fix: 'name it',
      })
    if (isGiven(item.value) && isGiven(item.fromSecret)) {
      report({
        code: 'PARAMETER_VALUE',
        path: [...place, 'fromSecret'],
        message: `${name} has a value and a Secret`,
        fix: 'keep value or fromSecret',
      })
    } else if (item.value === undefined && !isGiven(item.fromSecret)) {
      report({
        code: 'PARAMETER_VALUE',
        path: place,
        message: `${name} has neither a value nor a Secret`,
        fix: 'add value or fromSecret',
      })
    }
    checkSecretRef(item.fromSecret, [...place, 'fromSecret'], report)
  }
  checkUnique(
    'parameter',
    'PARAMETER_DUPLICATE',
    present(values).map(([index, { name }]) => [name, [...path, index, 'name']] as const),
    report,
  )
}
