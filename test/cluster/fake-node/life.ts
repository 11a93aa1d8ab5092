import type { FakePodObject } from './pod-object.ts'

/** What a container does on the fake node. Everything left out is what an ordinary quick task does. */
export interface ContainerLife {
  /** How long it runs, in milliseconds; null: until it is stopped. Default 0: it has ended when anybody looks. */
  readonly runMs?: number | null
  /** Default 0; 137 for `OOMKilled`. */
  readonly exitCode?: number
  /** Default `Completed` or `Error`. */
  readonly reason?: string
  /** The termination message. */
  readonly message?: string
  /** All that it says, which it says when it starts. */
  readonly log?: string
  /** It is never started, for this reason: `ErrImagePull`, `ImagePullBackOff`, `CreateContainerError`, … */
  readonly waiting?: { readonly reason: string; readonly message?: string }
}

/** What ends a pod from outside, and what is then seen of it. */
export type Disruption =
  /** The kubelet is short of something: the pod fails, and stays. */
  | 'evicted'
  /** The machine is switched off in an orderly way: the pod fails, and stays. */
  | 'shutdown'
  /** The scheduler wants its place. */
  | 'preempted'
  /** Somebody drains the node: the eviction API. */
  | 'drained'
  /** Somebody deletes it. */
  | 'deleted'
  /** Its node is not heard of any more: it is deleted, and nobody confirms that. */
  | 'nodeLost'
  /** Its node is no more: the garbage collector of pods declares it failed and removes it. */
  | 'nodeGone'

/** The life of a pod. What is said of a container here is said of its main one. */
export interface Life extends ContainerLife {
  /** The others, by name; those of init containers too. */
  readonly containers?: Readonly<Record<string, ContainerLife>>
  /** It finds no node, and this is why. */
  readonly unschedulable?: string
  /** Until it has a node, in milliseconds. Default 0. */
  readonly bindMs?: number
  /** Then until its first container starts, in milliseconds. Default 0. */
  readonly startMs?: number
  /** Counted from the start of its containers. Default of `afterMs`: 0. Then `runMs` is null by default. */
  readonly disrupted?: { readonly by: Disruption; readonly afterMs?: number }
  /** What its containers need to end when they are asked to, in milliseconds; null: they never do. Default 0. */
  readonly stopMs?: number | null
}

/** Annotation of a pod: its life, as JSON. */
export const LIFE_ANNOTATION = 'kontroler.test/life'
/** The same as a variable of its main container, where annotations cannot be set. */
export const LIFE_VARIABLE = 'KONTROLER_TEST_LIFE'

/** What the pod itself asks for. */
export function writtenLife(pod: FakePodObject): Life {
  const main = pod.spec.containers.find(({ name }) => name === mainOf(pod))
  const variable = main?.env?.find(({ name }) => name === LIFE_VARIABLE)?.value
  const text = pod.metadata.annotations?.[LIFE_ANNOTATION] ?? variable
  return text === undefined ? {} : (JSON.parse(text) as Life)
}

const mainOf = (pod: FakePodObject): string =>
  pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'] ?? pod.spec.containers[0]?.name ?? ''

export function lifeOfContainer(pod: FakePodObject, life: Life, name: string): ContainerLife {
  if (name !== mainOf(pod)) return life.containers?.[name] ?? {}
  return life.disrupted === undefined ? life : { runMs: null, ...life }
}
