import type { Approval, ContainerWork, Dag, Task } from '../../src/core/dag/dag.ts'
import type { RunCreated } from '../../src/core/run/events.ts'

/** A task that runs a container, with the defaults a document without these fields has. */
export function aTask(given: Partial<Task> & Pick<Task, 'name'>): Task {
  return {
    runAfter: [],
    work: CONTAINER,
    when: null,
    triggerRule: 'allSucceeded',
    allowFailure: false,
    retry: { limit: 0, delayMs: 0, factor: 2, maxDelayMs: 3_600_000, jitter: 0, retryCodes: null },
    timeoutMs: null,
    pendingTimeoutMs: null,
    parameters: [],
    outputs: [],
    fanOut: null,
    pool: null,
    priority: null,
    onLost: 'retry',
    ...given,
  }
}

export function aDag(given: Partial<Dag>): Dag {
  return {
    namespace: 'default',
    name: 'flow',
    schedules: [],
    timeZone: 'UTC',
    catchUp: 'latest',
    startingDeadlineMs: null,
    concurrencyPolicy: 'Allow',
    suspended: false,
    parameters: [],
    tasks: [],
    finally: [],
    maxParallelTasks: null,
    timeoutMs: null,
    failFast: false,
    priority: 0,
    pool: null,
    workspace: null,
    labels: {},
    extra: {},
    ...given,
  }
}

export function aCreation(given: Partial<RunCreated> = {}): RunCreated {
  return {
    type: 'runCreated',
    at: 0,
    v: 1,
    run: 'r1',
    name: 'flow-1',
    namespace: 'default',
    dag: 'flow',
    dagHash: 'hash',
    parameters: [],
    labels: {},
    trigger: { kind: 'manual', key: 'k', by: 'anna' },
    priority: 0,
    parent: null,
    continues: null,
    workdir: null,
    maxParallelTasks: null,
    queued: false,
    ...given,
  }
}

export const CONTAINER: ContainerWork = {
  kind: 'container',
  image: null,
  command: ['true'],
  args: [],
  script: null,
  scriptInjectorImage: null,
  env: [],
  resources: null,
  podTemplate: null,
}

export function anApproval(given: Partial<Approval> = {}): Task['work'] {
  return {
    kind: 'approval',
    approval: { message: 'go on?', form: [], timeoutMs: null, onTimeout: 'reject', ...given },
  }
}
