import type { AttemptRef } from '../../ports/executor.ts'
import { containerName } from './names.ts'
import { type ContainerState, type ContainerStatus, isOver, type Pod, timeOf } from './pod.ts'

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
  /** When its containers began, by their nodes' clocks, in milliseconds, as far as that is known. */
  readonly began?: Readonly<Record<string, number>>
  /** The task's own container has not begun yet: nothing is said of its log. */
  readonly ownWaits?: boolean
}

const NONE: readonly string[] = []

/** Init containers and sidecars of an attempt's pod, injected ones too; not those that were attached to debug it. */
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
  began: beganOf(pod),
})

function beganOf(pod: Pod): Readonly<Record<string, number>> {
  const began: Record<string, number> = {}
  for (const { name, state } of statusesOf(pod)) {
    const at = timeOf(state?.running?.startedAt ?? state?.terminated?.startedAt)
    if (at !== null && at > 0) began[name] = at
  }
  return began
}

/** When the task's own container began. */
export const ownBegan = (pod: Pod, { task }: AttemptRef): number | null =>
  beganOf(pod)[containerName(task)] ?? null

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

const statusesOf = ({ status }: Pod): readonly ContainerStatus[] => [
  ...(status?.initContainerStatuses ?? []),
  ...(status?.containerStatuses ?? []),
]

function namesIn(pod: Pod, fits: (state: ContainerState) => boolean): ReadonlySet<string> {
  return new Set(statusesOf(pod).flatMap(({ name, state }) => (fits(state ?? {}) ? [name] : [])))
}
