import { createHash } from 'node:crypto'
import type { KubeObject } from '../../kubernetes/object.ts'
import type { AttemptRef } from '../../ports/executor.ts'

const PREFIX = 'kontroler.greedykomodo'

/** Labels and annotations of what the pod executor makes. */
export const KEYS = {
  /** Label: which Kontroler made it. Nothing without it is ever touched. */
  installation: `${PREFIX}/installation`,
  /** Label: id of the run. */
  run: `${PREFIX}/run`,
  /** Label, for people: the task; `build.3` for an item of a fan-out. */
  task: `${PREFIX}/task`,
  /** Label, for people: number of the attempt. */
  number: `${PREFIX}/attempt`,
  /** Label, for people: name of the DAG. */
  dag: `${PREFIX}/dag`,
  /** Label, for people: name of the run. */
  runName: `${PREFIX}/run-name`,
  /** Label: the fence without which a pod never starts. */
  fence: `${PREFIX}/fence`,
  /** Label `true`: a pod that is only there to take a name, and never starts. */
  tombstone: `${PREFIX}/tombstone`,
  /** Annotation: the attempt in full, `run/task/attempt`. This and the pod's name are what is believed. */
  attempt: `${PREFIX}/attempt-id`,
  /** Annotation: names of the outputs, as a JSON list. */
  outputs: `${PREFIX}/outputs`,
  /** Annotation that kubectl knows, for people: the container of the task. */
  container: 'kubectl.kubernetes.io/default-container',
  /**
   * Label that tools know. Upstream's own labels (`managed-by`, `kontroler/type`) are not used: its controller removes
   * pods that carry them and that it does not know, whosever they are.
   */
  managedBy: 'app.kubernetes.io/managed-by',
} as const

/** Keeps a pod whose outcome was not recorded (`evidence: finalizer`). */
export const FINALIZER = `${PREFIX}/evidence`
/** Holds back a pod that is never to start, or not yet. */
export const GATE = `${PREFIX}/not-yet`

/** Whether a label or annotation is the engine's, so that no template may set it. */
export const isOwnKey = (key: string): boolean => key.startsWith(`${PREFIX}/`)

/** One pod among all that ever had its name. */
export interface PodPlace {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

/** What tells whose an object is. */
interface Identified {
  readonly metadata: Pick<KubeObject['metadata'], 'name' | 'labels' | 'annotations'>
}

export const installationSelector = (installation: string): string => `${KEYS.installation}=${installation}`
export const runSelector = (run: string): string => `${KEYS.run}=${labelValue(run)}`

export const fenceName = (installation: string, fence: string): string =>
  `kontroler-fence-${installation}-${fence}`

export const fenceLabels = (installation: string, fence: string): Readonly<Record<string, string>> => ({
  [KEYS.installation]: installation,
  [KEYS.fence]: fence,
})

/** What the labels of an attempt's pod say of it; `dag` and `runName` where they are known. */
export const attemptLabels = (
  ref: AttemptRef & { readonly dag?: string; readonly runName?: string },
): Readonly<Record<string, string>> => ({
  [KEYS.managedBy]: 'kontroler',
  [KEYS.run]: labelValue(ref.run),
  [KEYS.task]: labelValue(ref.task.replace(/\[(\d+)\]$/u, '.$1')),
  [KEYS.number]: String(ref.attempt),
  ...(ref.dag === undefined ? {} : { [KEYS.dag]: labelValue(ref.dag) }),
  ...(ref.runName === undefined ? {} : { [KEYS.runName]: labelValue(ref.runName) }),
})

export const fenceOfLabels = (labels: Readonly<Record<string, string>>): string | null =>
  labels[KEYS.fence] ?? null

/** Scripts are known by their content, and belong to a fence: when that is closed, nobody mounts them any more. */
export const scriptName = (script: string, fence: string): string =>
  `kontroler-script-${fence}-${hashOf(script)}`

export const workspaceName = (run: string): string => `kontroler-workspace-${hashOf(run)}`

/**
 * Derived from the attempt alone, so that making it twice is making it once and whoever looks for it needs nothing
 * else. The beginning is for people.
 *
 * @example podName({ run: '0199…', task: 'build[3]', attempt: 2 }) → 'build-3-2-5f1d0c6b7a90e1c4'
 */
export const podName = (ref: AttemptRef): string =>
  `${slug(ref.task, 34)}-${ref.attempt}-${hashOf(attemptId(ref))}`

/** The task's container is named after the task, as upstream's is; items of a fan-out share the name. */
export const containerName = (task: string): string => slug(task.replace(/\[\d+\]$/u, ''), 63)

export const attemptId = ({ run, task, attempt }: AttemptRef): string => `${run}/${task}/${attempt}`

/** The attempt of a pod; null for one that is not ours, or only looks like it. */
export function refOfPod(pod: Identified, installation: string): AttemptRef | null {
  if (pod.metadata.labels?.[KEYS.installation] !== installation) return null
  const ref = refOfId(pod.metadata.annotations?.[KEYS.attempt])
  return ref !== null && podName(ref) === pod.metadata.name ? ref : null
}

/** Name of the task's container in a pod of ours; null for a pod that says of no attempt. */
export function containerOf(pod: Identified): string | null {
  const ref = refOfId(pod.metadata.annotations?.[KEYS.attempt])
  return ref === null ? null : containerName(ref.task)
}

export const isPodOf = (pod: Identified, installation: string, ref: AttemptRef): boolean => {
  const found = refOfPod(pod, installation)
  return found !== null && attemptId(found) === attemptId(ref)
}

export const isTombstone = (pod: Identified): boolean => pod.metadata.labels?.[KEYS.tombstone] === 'true'

/**
 * What may be the value of a label. A text that may not, such as a long name, is cut and told from others by a hash.
 *
 * @example labelValue('nightly') → 'nightly'
 */
export function labelValue(text: string): string {
  if (/^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/u.test(text)) return text
  const plain = text.replace(/[^-A-Za-z0-9_.]+/gu, '-').slice(0, 44)
  return `${plain}-${hashOf(text)}`.replace(/^[^A-Za-z0-9]+/u, '')
}

function refOfId(id: string | undefined): AttemptRef | null {
  const [, run, task, number] = /^([^/]+)\/(.+)\/([1-9]\d{0,8})$/u.exec(id ?? '') ?? []
  return run === undefined || task === undefined ? null : { run, task, attempt: Number(number) }
}

const hashOf = (text: string, length = 16): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length)

/** A DNS label (RFC 1123): small letters, digits and inner hyphens. */
function slug(text: string, lengthMax: number): string {
  const plain = text.toLowerCase().replace(/[^a-z0-9-]+/gu, '-')
  return plain.slice(0, lengthMax).replace(/^-+|-+$/gu, '') || 'task'
}
