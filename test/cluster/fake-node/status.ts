import type { ContainerLife } from './life.ts'
import type { FakeContainer, FakePodObject } from './pod-object.ts'

/** Where a container is in its life. Times are RFC 3339. */
export type ContainerStage =
  | { readonly kind: 'waiting'; readonly reason: string; readonly message?: string | undefined }
  | { readonly kind: 'running'; readonly startedAt: string }
  | {
      readonly kind: 'terminated'
      readonly exitCode: number
      readonly reason: string
      readonly message?: string | undefined
      readonly startedAt: string
      readonly finishedAt: string
    }

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason?: string
  readonly message?: string
}

export type Stages = ReadonlyMap<string, ContainerStage>

export interface StatusFacts {
  readonly now: string
  readonly startTime: string
  readonly hostIP: string
  /** Default: what follows from the containers. */
  readonly phase?: string
  readonly reason?: string
  readonly message?: string
  readonly conditions?: readonly Condition[]
}

/** The end of a container that ran. */
export function ended(life: ContainerLife, startedAt: string, finishedAt: string): ContainerStage {
  const { exitCode = life.reason === 'OOMKilled' ? 137 : 0 } = life
  const { reason = exitCode === 0 ? 'Completed' : 'Error', message } = life
  return { kind: 'terminated', exitCode, reason, message, startedAt, finishedAt }
}

/** A container that runs beside the others and does not hold up the pod's end. */
export const isSidecar = (container: FakeContainer): boolean => container.restartPolicy === 'Always'

/** The phase that a kubelet works out from its containers; what does not say anything yet has not begun. */
export function phaseOf({ spec }: FakePodObject, stages: Stages): string {
  const own = spec.containers.map(({ name }) => stages.get(name))
  const once = (spec.initContainers ?? []).filter(container => !isSidecar(container))
  if (once.some(({ name }) => hasFailed(stages.get(name)))) return 'Failed'
  if (own.every(stage => stage?.kind === 'terminated')) return own.some(hasFailed) ? 'Failed' : 'Succeeded'
  return own.some(stage => stage?.kind === 'running' || stage?.kind === 'terminated') ? 'Running' : 'Pending'
}

/** The pod's status as a strategic merge patch: conditions are merged by type, lists of containers are replaced. */
export function statusPatch(pod: FakePodObject, stages: Stages, facts: StatusFacts): object {
  const { now, conditions = [], phase = phaseOf(pod, stages), ...rest } = facts
  const isOver = phase === 'Succeeded' || phase === 'Failed'
  const own = pod.spec.containers.map(({ name }) => stages.get(name))
  const isReady = !isOver && own.every(stage => stage?.kind === 'running')
  const hasBegun = isOver || own.some(stage => stage !== undefined && stage.kind !== 'waiting')
  const ready = condition(isReady, phase === 'Succeeded' ? 'PodCompleted' : 'ContainersNotReady')
  const all: readonly Condition[] = [
    { type: 'Initialized', ...condition(hasBegun, 'ContainersNotInitialized') },
    { type: 'ContainersReady', ...ready },
    { type: 'Ready', ...ready },
    ...conditions,
  ]
  const statuses = (containers: readonly FakeContainer[]): object[] =>
    containers.map(container => containerStatus(pod, container, stages.get(container.name) ?? creating(pod)))
  const { initContainers } = pod.spec
  return {
    metadata: { uid: pod.metadata.uid },
    status: {
      ...rest,
      phase,
      conditions: all.map(one => ({ ...one, lastTransitionTime: now })),
      containerStatuses: statuses(pod.spec.containers),
      ...(initContainers === undefined ? {} : { initContainerStatuses: statuses(initContainers) }),
    },
  }
}

const hasFailed = (stage: ContainerStage | undefined): boolean =>
  stage?.kind === 'terminated' && stage.exitCode !== 0

/** A container that was not even tried. */
const creating = (pod: FakePodObject): ContainerStage => ({
  kind: 'waiting',
  reason: (pod.spec.initContainers ?? []).length > 0 ? 'PodInitializing' : 'ContainerCreating',
})

const condition = (isTrue: boolean, reason: string): Omit<Condition, 'type'> =>
  isTrue ? { status: 'True' } : { status: 'False', reason }

function containerStatus(pod: FakePodObject, container: FakeContainer, stage: ContainerStage): object {
  const { name, image = 'none' } = container
  const { kind, ...rest } = stage
  const containerID = `fake://${pod.metadata.uid}/${name}`
  const isInit = (pod.spec.initContainers ?? []).includes(container)
  return {
    name,
    image,
    imageID: kind === 'waiting' ? '' : `fake://${image}`,
    restartCount: 0,
    ready: kind === 'running' || (isInit && kind === 'terminated' && !hasFailed(stage)),
    started: kind === 'running',
    ...(kind === 'waiting' ? {} : { containerID }),
    state: { [kind]: kind === 'terminated' ? { ...rest, containerID } : rest },
  }
}
