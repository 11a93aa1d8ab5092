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
  /** Label, for people: name of the DAG. */
  dag: `${PREFIX}/dag`,
  /** Label: the fence without which a pod never starts. */
  fence: `${PREFIX}/fence`,
  /** Label `true`: a pod that is only there to take a name, and never starts. */
  tombstone: `${PREFIX}/tombstone`,
  /** Annotation: the attempt in full, `run/task/attempt`. */
  attempt: `${PREFIX}/attempt`,
  /** Annotation: names of the outputs, as a JSON list. */
  outputs: `${PREFIX}/outputs`,
  /** Annotation that kubectl knows: the container of the task. */
  container: 'kubectl.kubernetes.io/default-container',
} as const

/** Keeps a pod whose outcome was not recorded (`evidence: finalizer`). */
export const FINALIZER = `${PREFIX}/evidence`
/** Holds back a pod that is never to start, or not yet. */
export const GATE = `${PREFIX}/not-yet`

/** One pod among all that ever had its name. */
export interface PodPlace {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export const installationSelector = (installation: string): string => `${KEYS.installation}=${installation}`
export const runSelector = (run: string): string => `${KEYS.run}=${run}`

export const fenceName = (installation: string, fence: string): string =>
  `kontroler-fence-${installation}-${fence}`

export const fenceLabels = (installation: string, fence: string): Readonly<Record<string, string>> => ({
  [KEYS.installation]: installation,
  [KEYS.fence]: fence,
})

export const fenceOfLabels = (labels: Readonly<Record<string, string>>): string | null =>
  labels[KEYS.fence] ?? null

/** Scripts are known by their content: a new version of a DAG with the same script needs no new ConfigMap. */
export const scriptName = (script: string): string => `kontroler-script-${hashOf(script)}`

export const workspaceName = (run: string): string => `kontroler-workspace-${hashOf(run)}`

/**
 * Derived from the attempt, so that making it twice is making it once. The beginning is for people.
 *
 * @example podName({ run: '0199…', task: 'build[3]', attempt: 2 }) → 'build-3-2-5f1d0c6b7a90'
 */
export const podName = ({ run, task, attempt }: AttemptRef): string =>
  `${slug(task, 40)}-${attempt}-${hashOf(`${run}/${task}/${attempt}`)}`

/** The task's container is named after the task; items of a fan-out share the name. */
export const containerName = (task: string): string => slug(task.replace(/\[\d+\]$/u, ''), 63)

/** The attempt of a pod; null for one that is not ours, or only looks like it. */
export function refOfPod(pod: KubeObject, installation: string): AttemptRef | null {
  const { labels = {}, annotations = {}, name } = pod.metadata
  if (labels[KEYS.installation] !== installation) return null
  const parts = /^([^/]+)\/(.+)\/([1-9]\d*)$/u.exec(annotations[KEYS.attempt] ?? '')
  const [, run, task, attempt] = parts ?? []
  if (run === undefined || task === undefined) return null
  const ref = { run, task, attempt: Number(attempt) }
  return podName(ref) === name ? ref : null
}

export const isPodOf = (pod: KubeObject, installation: string, ref: AttemptRef): boolean => {
  const found = refOfPod(pod, installation)
  return found !== null && found.run === ref.run && found.task === ref.task && found.attempt === ref.attempt
}

export const isTombstone = (pod: KubeObject): boolean => pod.metadata.labels?.[KEYS.tombstone] === 'true'

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12)

/** A DNS label (RFC 1123): small letters, digits and inner hyphens. */
function slug(text: string, lengthMax: number): string {
  const plain = text.toLowerCase().replace(/[^a-z0-9]+/gu, '-')
  return plain.slice(0, lengthMax).replace(/^-+|-+$/gu, '') || 'task'
}
