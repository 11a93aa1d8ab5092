import type {
  Dag,
  EnvVar,
  FanOut,
  Parameter,
  ParameterValue,
  RetryPolicy,
  SecretRef,
  Task,
} from '../core/dag/dag.ts'

type Fields = Readonly<Record<string, unknown>>

/**
 * The document that means this DAG: reading it gives the same DAG with the same hash. What is a default is left out;
 * the arrow language and references to DagTasks come back as the tasks they stood for.
 */
export function dagDocument(dag: Dag): Fields {
  const { labels } = dag
  return given({
    apiVersion: 'kontroler.greedykomodo/v1alpha1',
    kind: 'DAG',
    metadata: given({
      name: dag.name,
      namespace: unless('default', dag.namespace),
      labels: Object.keys(labels).length === 0 ? undefined : labels,
    }),
    spec: given({
      schedule: dag.schedules.length > 1 ? dag.schedules : dag.schedules[0],
      timeZone: unless('UTC', dag.timeZone),
      catchUp: unless('latest', dag.catchUp),
      startingDeadlineSeconds: dag.startingDeadlineMs === null ? undefined : dag.startingDeadlineMs / 1000,
      concurrencyPolicy: unless('Allow', dag.concurrencyPolicy),
      suspended: unless(false, dag.suspended),
      maxParallelTasks: dag.maxParallelTasks,
      timeout: durationText(dag.timeoutMs),
      failFast: unless(false, dag.failFast),
      priority: unless(0, dag.priority),
      pool: dag.pool,
      workspace: dag.workspace === null ? undefined : given({ enable: true, pvc: dag.workspace.pvc }),
      ...dag.extra,
      parameters: some(dag.parameters.map(parameterFields)),
      task: some(dag.tasks.map(taskFields)),
      finally: some(dag.finally.map(taskFields)),
    }),
  })
}

function parameterFields(parameter: Parameter): Fields {
  const { name, type, description, required, default: preset } = parameter
  return given({
    name,
    type: unless('string', type),
    description,
    required: unless(false, required),
    enum: parameter.enum,
    defaultValue: preset.kind === 'value' ? preset.value : undefined,
    defaultFromSecret: preset.kind === 'secret' ? secretFields(preset.secret) : undefined,
  })
}

const secretFields = ({ name, key }: SecretRef): Fields => ({ name, key })

function valueFields({ name, value }: ParameterValue): Fields {
  return value.kind === 'value'
    ? { name, value: value.value }
    : { name, fromSecret: secretFields(value.secret) }
}

function taskFields(task: Task): Fields {
  return given({
    name: task.name,
    runAfter: some(task.runAfter),
    when: task.when,
    triggerRule: unless('allSucceeded', task.triggerRule),
    allowFailure: unless(false, task.allowFailure),
    ...(task.fanOut === null ? {} : fanOutFields(task.fanOut)),
    ...workFields(task),
    parameters: some(task.parameters),
    outputs: some(task.outputs),
    ...retryFields(task.retry),
    timeout: durationText(task.timeoutMs),
    pendingTimeout: durationText(task.pendingTimeoutMs),
    pool: task.pool,
    priority: task.priority,
    onLost: unless('retry', task.onLost),
  })
}

function workFields({ work }: Task): Fields {
  switch (work.kind) {
    case 'dag':
      return { dag: given({ name: work.dag, parameters: some(work.parameters.map(valueFields)) }) }
    case 'approval': {
      const { message, form, timeoutMs, onTimeout } = work.approval
      const timeout = durationText(timeoutMs)
      const fields = { message, form: some(form.map(parameterFields)), timeout }
      return { approval: given({ ...fields, onTimeout: unless('reject', onTimeout) }) }
    }
    case 'container':
      return {
        image: work.image,
        command: some(work.command),
        args: some(work.args),
        script: work.script,
        scriptInjectorImage: work.scriptInjectorImage,
        env: some(work.env.map(envFields)),
        resources: work.resources,
        podTemplate: work.podTemplate,
      }
  }
}

function envFields(variable: EnvVar): Fields {
  const { name } = variable
  switch (variable.kind) {
    case 'text':
      return { name, value: variable.value }
    case 'secret': {
      const optional = unless(false, variable.optional)
      return { name, valueFrom: { secretKeyRef: given({ ...variable.secret, optional }) } }
    }
    case 'configMap': {
      const optional = unless(false, variable.optional)
      return { name, valueFrom: { configMapKeyRef: given({ ...variable.configMap, optional }) } }
    }
    case 'pod':
      return { name, valueFrom: variable.source }
  }
}

function retryFields({ limit, delayMs, factor, maxDelayMs, jitter, retryCodes }: RetryPolicy): Fields {
  const backoff = given({
    limit: unless(0, limit),
    delay: delayMs === 0 ? undefined : durationText(delayMs),
    factor: unless(2, factor),
    maxDelay: maxDelayMs === Math.max(3_600_000, delayMs) ? undefined : durationText(maxDelayMs),
    jitter: unless(0, jitter),
  })
  return {
    backoff: Object.keys(backoff).length === 0 ? undefined : backoff,
    conditional: retryCodes === null ? undefined : given({ enabled: true, retryCodes: some(retryCodes) }),
  }
}

function fanOutFields({ over, maxParallel }: FanOut): Fields {
  switch (over.kind) {
    case 'list':
      return { forEach: over.items, maxParallel }
    case 'expression':
      return { forEach: over.expression, maxParallel }
    case 'matrix':
      return { matrix: Object.fromEntries(over.axes.map(({ name, values }) => [name, values])), maxParallel }
  }
}

/** `1h30m`, as it is read again. */
function durationText(ms: number | null): string | undefined {
  if (ms === null) return undefined
  let rest = ms
  let text = ''
  for (const [unit, size] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
    ['ms', 1],
  ] as const) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text === '' ? '0s' : text
}

const unless = <T>(preset: T, value: T): T | undefined => (value === preset ? undefined : value)
const some = <T>(list: readonly T[]): readonly T[] | undefined => (list.length === 0 ? undefined : list)

/** Only members that say something. */
function given(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null),
  )
}
