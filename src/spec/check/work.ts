import { nearest } from '../../core/nearest.ts'
import { present, type Loose } from '../loose.ts'
import { POD_TEMPLATE_KEYS } from '../schema/pod-template.ts'
import type { TaskSpec } from '../schema/dag.ts'
import { nameOf, shown } from '../shape.ts'
import type { Finding } from '../source.ts'
import { checkForm, checkNamedValues, isGiven } from './parameters.ts'
import { at, type TaskView } from './view.ts'
import { checkEnv } from './env.ts'
import { checkTaskResources } from './quantities.ts'
import { checkFanOut } from './fan-out.ts'
import { checkRetry } from './retry.ts'
import { asIdentifier, checkDuration, checkLabel, checkUnique, isIdentifier, type Report } from './words.ts'

/** Fields that only a container has. */
const CONTAINER_FIELDS = [
  'image',
  'command',
  'args',
  'script',
  'scriptInjectorImage',
  'env',
  'resources',
  'podTemplate',
] as const

/** Everything about one task that does not need the others. */
export function checkWork(view: TaskView, report: Report): void {
  const { spec } = view
  if (view.known) checkKind(view, report)
  checkDuration(spec.timeout, at(view, 'timeout'), 1, report)
  checkDuration(spec.pendingTimeout, at(view, 'pendingTimeout'), 1, report)
  checkOutputs(view, report)
  checkRetry(view, report)
  checkFanOut(view, report)
  checkEnv(view, report)
  checkPodTemplate(view, report)
  checkTaskResources(view, report)
  if (spec.pool !== undefined) checkLabel('pool', spec.pool, at(view, 'pool'), report)
  checkTriggerRule(view, report)
}

function checkKind(view: TaskView, report: Report): void {
  const { spec } = view
  const kinds = (['dag', 'approval'] as const).filter(kind => spec[kind] !== undefined)
  const [kind] = kinds
  if (kind === undefined) return checkContainer(view, report)
  if (kinds.length > 1) {
    report({
      code: 'TASK_KIND',
      path: at(view, 'approval'),
      on: 'key',
      message: `${taskName(view)} runs a DAG and waits for an approval`,
      fix: 'make two tasks of it',
    })
  }
  for (const field of CONTAINER_FIELDS.filter(field => !isEmpty(spec[field]))) {
    report({
      code: 'TASK_KIND',
      path: at(view, field),
      on: 'key',
      message: `${taskName(view)} has ${kind}, so it runs no container and ${field} means nothing`,
      fix: `remove ${field}, or move it to a task of its own`,
    })
  }
  for (const field of IGNORED_BESIDE[kind]) {
    if (isEmpty(spec[field])) continue
    report({
      code: 'FIELD_IGNORED',
      severity: 'warning',
      path: at(view, field),
      on: 'key',
      message: `${field} means nothing in a task with ${kind}`,
      fix: (kind === 'dag' ? INSTEAD[field] : undefined) ?? `remove ${field}`,
    })
  }
  if (kind === 'dag') checkDagTask(view, report)
  else checkApproval(view, report)
}

function checkContainer(view: TaskView, report: Report): void {
  const { spec } = view
  if (!isGiven(spec.image)) {
    report({
      code: 'IMAGE_MISSING',
      path: [...view.path, 'image'],
      message: `${taskName(view)} has no image`,
      fix: 'add image: the container image to run, such as alpine:3.22 (local processes do without it)',
    })
  } else if (spec.image !== undefined) {
    checkImage(spec.image, view, 'image', report)
  }
  if (isGiven(spec.scriptInjectorImage)) {
    checkImage(spec.scriptInjectorImage ?? '', view, 'scriptInjectorImage', report)
  }
  const hasCommand = !isEmpty(spec.command)
  if (!isGiven(spec.script) && !hasCommand) {
    report({
      code: 'COMMAND_MISSING',
      path: [...view.path, 'command'],
      message: `${taskName(view)} has neither command nor script`,
      fix: isEmpty(spec.args) ? 'add command or script' : 'add command; args come after it',
    })
  } else if (isGiven(spec.script) && (hasCommand || !isEmpty(spec.args))) {
    const field = hasCommand ? 'command' : 'args'
    report({
      code: 'SCRIPT_WINS',
      severity: 'warning',
      path: at(view, field),
      on: 'key',
      message: `${taskName(view)} has a script, so ${field} is ignored`,
      fix: `remove ${field} or script`,
    })
  }
  if (spec.command?.[0] === '') {
    report({
      code: 'COMMAND_MISSING',
      path: at(view, 'command', 0),
      message: `the command of ${taskName(view)} is empty`,
      fix: 'name the program to run',
    })
  }
}

function checkImage(
  image: string,
  view: TaskView,
  field: 'image' | 'scriptInjectorImage',
  report: Report,
): void {
  if (image.includes('${{')) return // told by the check of templates
  const problem = imageProblem(image)
  if (problem === null) return
  report({
    code: 'IMAGE_INVALID',
    path: at(view, field),
    message: `the image ${shown(image)} ${problem}`,
    fix: 'write it as registry/name:tag or registry/name@sha256:…',
  })
}

/** Loose on purpose: registries differ, and the runtime has the last word. */
function imageProblem(image: string): string | null {
  if (/\s/.test(image)) return 'holds a space'
  if (/^https?:\/\//.test(image)) return 'is a web address'
  if (!/^[A-Za-z0-9][A-Za-z0-9._\-/:@+]*$/.test(image)) return 'holds a character that no image name has'
  if (/[:/@]$|\/\/|::|OBJECT_NAME_LENGTH_MAX/.test(image)) return 'lacks a part'
  const path = image.replace(/@.*$/, '').replace(/:[^/]*$/, '')
  const repository = path.split('/').slice(path.split('/').length > 1 ? 1 : 0)
  if (repository.some(part => /[A-Z]/.test(part))) return 'has capital letters in its name'
  if (/@(?!sha256:[0-9a-f]{64}$|sha512:[0-9a-f]{128}$)/.test(image)) return 'has a digest that is none'
  return null
}

/** Fields that a task without a container of its own has no use for: it takes no slot, and an approval never tries. */
const IGNORED_BESIDE = {
  dag: ['parameters', 'outputs', 'conditional', 'pool', 'priority'],
  approval: [
    'parameters',
    'outputs',
    'conditional',
    'pool',
    'priority',
    'backoff',
    'timeout',
    'pendingTimeout',
    'onLost',
  ],
} as const satisfies Readonly<Record<'dag' | 'approval', readonly (keyof TaskSpec)[]>>

/** Where a DAG that is run as a task says it itself. */
const INSTEAD: Readonly<Record<string, string>> = {
  parameters: 'write them under dag.parameters',
  pool: 'name the pool in the DAG that it runs, or bound a fan-out with maxParallel',
  priority: 'set it in the DAG that it runs',
}

function checkDagTask(view: TaskView, report: Report): void {
  const { dag } = view.spec
  if (dag?.name !== undefined && !/^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/.test(dag.name)) {
    report({
      code: 'NAME_INVALID',
      path: at(view, 'dag', 'name'),
      message: `${shown(dag.name)} cannot be the name of a DAG`,
      fix: 'name a DAG of this namespace',
    })
  }
  const local: Finding[] = []
  checkNamedValues(dag?.parameters, ['parameters'], finding => local.push(finding))
  for (const finding of local) report({ ...finding, path: at(view, 'dag', ...finding.path) })
}

function checkApproval(view: TaskView, report: Report): void {
  const { approval } = view.spec
  checkDuration(approval?.timeout, at(view, 'approval', 'timeout'), 1, report)
  if (approval?.onTimeout !== undefined && approval.timeout === undefined) {
    report({
      code: 'FIELD_IGNORED',
      severity: 'warning',
      path: at(view, 'approval', 'onTimeout'),
      on: 'key',
      message: 'onTimeout means nothing without a timeout',
      fix: 'add timeout, or remove onTimeout',
    })
  }
  const local: Finding[] = []
  checkForm(approval?.form, ['form'], finding => local.push(finding))
  for (const finding of local) report({ ...finding, path: at(view, 'approval', ...finding.path) })
}

function checkOutputs(view: TaskView, report: Report): void {
  const outputs = present(view.spec.outputs)
  for (const [index, name] of outputs) {
    if (isIdentifier(name)) continue
    report({
      code: 'OUTPUT_NAME',
      path: at(view, 'outputs', index),
      message: `the output ${shown(name)} may hold only letters, digits and _, and no digit first`,
      fix: `call it ${asIdentifier(name)}`,
    })
  }
  const places = outputs.map(([index, name]) => [name, at(view, 'outputs', index)] as const)
  checkUnique('output', 'OUTPUT_DUPLICATE', places, report)
}

/** Rules that count the ends of other tasks, in a task that has none before it. */
function checkTriggerRule(view: TaskView, report: Report): void {
  const { triggerRule, runAfter } = view.spec
  if (triggerRule === undefined || (runAfter !== undefined && runAfter.length > 0)) return
  if (triggerRule === 'allSucceeded' || triggerRule === 'always') return
  report({
    code: 'TRIGGER_RULE_ALONE',
    path: at(view, 'triggerRule'),
    message: `triggerRule ${triggerRule} looks at the tasks in runAfter, but ${taskName(view)} has none`,
    fix: 'add runAfter, or remove triggerRule',
  })
}

function checkPodTemplate(view: TaskView, report: Report): void {
  const template = view.spec.podTemplate
  if (template === undefined || view.borrowed.has('podTemplate')) return
  for (const key of Object.keys(template)) {
    if (POD_TEMPLATE_KEYS.includes(key)) continue
    const near = nearest(key, POD_TEMPLATE_KEYS)
    report({
      code: 'POD_FIELD_UNKNOWN',
      severity: 'warning',
      path: at(view, 'podTemplate', key),
      on: 'key',
      message: `podTemplate has a field ${key} that is not known here; it is handed on as it is`,
      fix: near === null ? 'check its name in the Kubernetes reference' : `did you mean ${near}?`,
    })
  }
}

/** `task build`, or its place when it has no name. */
export function taskName(view: TaskView): string {
  return view.name === undefined || view.name === '' ? nameOf(view.path) : `the task ${view.name}`
}

function isEmpty(value: Loose<TaskSpec>[keyof TaskSpec]): boolean {
  if (value === undefined || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}
