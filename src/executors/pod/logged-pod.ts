import type { AttemptRef } from '../../ports/executor.ts'
import { containerName } from './names.ts'
import { isOver, type Pod } from './pod.ts'

/** A pod whose logs are copied. */
export interface LoggedPod {
  readonly attempt: AttemptRef
  readonly namespace: string
  readonly pod: string
  readonly uid: string
  /** The container that runs the task; its log is the attempt's. */
  readonly own: string
  /** Init containers and sidecars; each has a log of its own beside it. */
  readonly others: readonly string[]
  /** The task's own container has not begun yet: nothing is said of its log. */
  readonly ownWaits?: boolean
}

const NONE: readonly string[] = []

/** Init containers and sidecars of an attempt's pod, injected ones too; not those that somebody attached to debug it. */
export function othersOf(pod: Pod, attempt: AttemptRef): readonly string[] {
  const { initContainers = [], containers = [] } = pod.spec
  if (initContainers.length === 0 && containers.length <= 1) return NONE
  const own = containerName(attempt.task)
  return [...initContainers, ...containers].flatMap(({ name }) => (name === own ? [] : [name]))
}

/** With `others`, it is the pod with only these beside the task's own. */
export const loggedPod = (
  pod: Pod,
  { run, task, attempt }: AttemptRef,
  others: readonly string[] = othersOf(pod, { run, task, attempt }),
): LoggedPod => ({
  attempt: { run, task, attempt },
  namespace: pod.metadata.namespace ?? '',
  pod: pod.metadata.name,
  uid: pod.metadata.uid,
  own: containerName(task),
  others,
})

/** The others that have begun by now. */
export function begunOf(pod: Pod, attempt: AttemptRef): readonly string[] {
  const begun = namesIn(pod, state => state.running !== undefined || state.terminated !== undefined)
  return othersOf(pod, attempt).filter(name => begun.has(name))
}

/** The others of which no more will be heard: all of them once the pod is over, before that those that ended. */
export function endedOf(pod: Pod, attempt: AttemptRef): readonly string[] {
  const others = othersOf(pod, attempt)
  if (isOver(pod)) return others
  const running = namesIn(pod, state => state.terminated === undefined)
  return others.filter(name => !running.has(name))
}

type State = NonNullable<NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number]['state']>

function namesIn(pod: Pod, fits: (state: State) => boolean): ReadonlySet<string> {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {}
  const all = [...initContainerStatuses, ...containerStatuses]
  return new Set(all.flatMap(({ name, state }) => (fits(state ?? {}) ? [name] : [])))
}
