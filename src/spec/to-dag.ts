import type {
  ConcurrencyPolicy,
  Dag,
  EnvVar,
  FanOut,
  Parameter,
  ParameterDefault,
  ParameterValue,
  RetryPolicy,
  SecretRef,
  Task,
  Work,
} from '../core/dag/dag.ts'
import { parseDuration } from '../core/dag/duration.ts'
import type { Json } from '../core/json.ts'
import { isGiven } from './check/parameters.ts'
import { allowedValue, valueText } from './check/values.ts'
import type { DagDocument, DagSpec, ParameterSpec, TaskSpec } from './schema/dag.ts'

/** Parts of the spec that only other rooms read; handed on as they are. */
const EXTRA = ['triggers', 'webhook', 'retention', 'startGuarantee', 'evidence', 'podSecurity'] as const
/** Key of a Secret where none is named, as upstream has it. */
const SECRET_KEY = 'secret'
const MAX_DELAY_MS = 3_600_000
const FACTOR = 2

/**
 * The meaning of a document that has no errors: durations in milliseconds, defaults filled in, the DagTasks in place.
 *
 * @param tasks  The tasks of `spec.task` and `spec.finally` with their DagTasks merged in.
 */
export function toDag(
  metadata: DagDocument['metadata'],
  spec: DagSpec,
  tasks: { readonly task: readonly TaskSpec[]; readonly finally: readonly TaskSpec[] },
  namespace: string,
): Dag {
  const schedules = typeof spec.schedule === 'string' ? [spec.schedule] : (spec.schedule ?? [])
  return {
    namespace: metadata.namespace ?? namespace,
    name: metadata.name ?? '',
    schedules: schedules.filter(text => text !== ''),
    timeZone: spec.timeZone ?? 'UTC',
    catchUp: spec.catchUp ?? 'latest',
    startingDeadlineMs:
      spec.startingDeadlineSeconds === undefined ? null : spec.startingDeadlineSeconds * 1000,
    concurrencyPolicy: spec.concurrencyPolicy ?? ('Allow' satisfies ConcurrencyPolicy),
    suspended: spec.suspended ?? false,
    parameters: (spec.parameters ?? []).map(toParameter),
    tasks: tasks.task.map(toTask),
    finally: tasks.finally.map(toTask),
    maxParallelTasks: spec.maxParallelTasks ?? null,
    timeoutMs: ms(spec.timeout),
    failFast: spec.failFast ?? false,
    priority: spec.priority ?? 0,
    pool: spec.pool ?? null,
    workspace: spec.workspace?.enable === true ? { pvc: (spec.workspace.pvc ?? null) as Json } : null,
    labels: metadata.labels ?? {},
    extra: Object.fromEntries(
      EXTRA.filter(field => spec[field] !== undefined).map(field => [field, spec[field] as Json]),
    ),
  }
}

/** A declared parameter. Its values are texts already checked. */
export function toParameter(spec: ParameterSpec): Parameter {
  const type = spec.type ?? 'string'
  return {
    name: spec.name,
    type,
    description: spec.description ?? null,
    required: spec.required ?? false,
    enum: spec.enum?.map(value => allowedValue(type, textOf(type, value))) ?? null,
    default: defaultOf(spec),
  }
}

/** A Secret's name, or name and key. */
export function toSecretRef(ref: string | { name: string; key?: string | undefined }): SecretRef {
  if (typeof ref === 'string') return { name: ref, key: SECRET_KEY }
  return { name: ref.name, key: ref.key ?? SECRET_KEY }
}

type NamedValue = {
  readonly name: string
  readonly value?: unknown
  readonly fromSecret?: string | { name: string; key?: string | undefined } | undefined
}

/** A parameter that is handed over. */
export function toParameterValue({ name, value, fromSecret }: NamedValue): ParameterValue {
  if (fromSecret !== undefined && isGiven(fromSecret)) {
    return { name, value: { kind: 'secret', secret: toSecretRef(fromSecret) } }
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? '')
  return { name, value: { kind: 'value', value: text } }
}

function defaultOf(spec: ParameterSpec): ParameterDefault {
  if (spec.defaultFromSecret !== undefined && isGiven(spec.defaultFromSecret)) {
    return { kind: 'secret', secret: toSecretRef(spec.defaultFromSecret) }
  }
  if (spec.defaultValue === undefined) return { kind: 'none' }
  return { kind: 'value', value: textOf(spec.type ?? 'string', spec.defaultValue) }
}

function textOf(type: Parameter['type'], value: unknown): string {
  const text = valueText(type, value)
  return text.ok ? text.text : String(value)
}

function toTask(spec: TaskSpec): Task {
  return {
    name: spec.name,
    runAfter: [...new Set(spec.runAfter ?? [])],
    work: toWork(spec),
    when: spec.when ?? null,
    triggerRule: spec.triggerRule ?? 'allSucceeded',
    allowFailure: spec.allowFailure ?? false,
    retry: toRetry(spec),
    timeoutMs: ms(spec.timeout) ?? deadlineMs(spec),
    pendingTimeoutMs: ms(spec.pendingTimeout),
    parameters: [...new Set(spec.parameters ?? [])],
    outputs: spec.approval === undefined ? (spec.outputs ?? []) : [],
    fanOut: toFanOut(spec),
    pool: spec.pool ?? null,
    priority: spec.priority ?? null,
    onLost: spec.onLost ?? 'retry',
  }
}

/** The pod's own deadline is upstream's only time-out; it holds for every executor. */
function deadlineMs(spec: TaskSpec): number | null {
  const seconds = spec.podTemplate?.activeDeadlineSeconds
  return seconds === undefined ? null : seconds * 1000
}

function toWork(spec: TaskSpec): Work {
  if (spec.dag !== undefined) {
    return { kind: 'dag', dag: spec.dag.name, parameters: (spec.dag.parameters ?? []).map(toParameterValue) }
  }
  if (spec.approval !== undefined) {
    const { message, form, timeout, onTimeout } = spec.approval
    return {
      kind: 'approval',
      approval: {
        message,
        form: (form ?? []).map(toParameter),
        timeoutMs: ms(timeout),
        onTimeout: onTimeout ?? 'reject',
      },
    }
  }
  const script = isGiven(spec.script) ? (spec.script ?? null) : null
  return {
    kind: 'container',
    image: isGiven(spec.image) ? (spec.image ?? null) : null,
    command: script === null ? (spec.command ?? []) : [],
    args: script === null ? (spec.args ?? []) : [],
    script,
    scriptInjectorImage: isGiven(spec.scriptInjectorImage) ? (spec.scriptInjectorImage ?? null) : null,
    env: (spec.env ?? []).map(toEnvVar),
    resources: (spec.resources ?? null) as Json,
    podTemplate: (spec.podTemplate ?? null) as Json,
  }
}

function toEnvVar(variable: NonNullable<TaskSpec['env']>[number]): EnvVar {
  const { name, value, valueFrom } = variable
  const secret = valueFrom?.secretKeyRef
  const configMap = valueFrom?.configMapKeyRef
  const optional = (secret ?? configMap)?.optional ?? false
  if (secret !== undefined) {
    return { name, kind: 'secret', secret: { name: secret.name ?? '', key: secret.key }, optional }
  }
  if (configMap !== undefined) {
    return {
      name,
      kind: 'configMap',
      configMap: { name: configMap.name ?? '', key: configMap.key },
      optional,
    }
  }
  if (valueFrom !== undefined) return { name, kind: 'pod', source: valueFrom as Json }
  return { name, kind: 'text', value: value ?? '' }
}

function toRetry({ backoff, conditional }: TaskSpec): RetryPolicy {
  return {
    limit: backoff?.limit ?? 0,
    delayMs: ms(backoff?.delay) ?? 0,
    factor: backoff?.factor ?? FACTOR,
    maxDelayMs: ms(backoff?.maxDelay) ?? Math.max(MAX_DELAY_MS, ms(backoff?.delay) ?? 0),
    jitter: backoff?.jitter ?? 0,
    retryCodes: conditional?.enabled === true ? (conditional.retryCodes ?? []) : null,
  }
}

function toFanOut({ forEach, matrix, maxParallel }: TaskSpec): FanOut | null {
  const limit = maxParallel ?? null
  if (typeof forEach === 'string') {
    return { over: { kind: 'expression', expression: forEach }, maxParallel: limit }
  }
  if (forEach !== undefined) return { over: { kind: 'list', items: forEach as Json[] }, maxParallel: limit }
  if (matrix === undefined) return null
  const axes = Object.entries(matrix).map(([name, values]) => ({ name, values: values as Json[] }))
  return { over: { kind: 'matrix', axes }, maxParallel: limit }
}

function ms(duration: string | undefined): number | null {
  return duration === undefined ? null : parseDuration(duration)
}
