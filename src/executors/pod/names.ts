import { createHash } from 'node:crypto'
import type { KubeObject } from '../../kubernetes/object.ts'
import type { AttemptRef } from '../../ports/executor.ts'

const PREFIX = 'kontroler.greedykomodo'
export const FINALIZER = `${PREFIX}/evidence`

/** One pod among all that ever had its name. */
export interface PodPlace {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export const installationSelector = (installation: string): string => `${PREFIX}/installation=${installation}`
export const runLabel = (run: string): string => `${PREFIX}/run=${run}`
export const fenceName = (installation: string, fence: string): string => `kontroler-fence-${installation}-${fence}`
export const workspaceName = (run: string): string => `kontroler-workspace-${run}`
export const fenceLabels = (installation: string, fence: string): Record<string, string> => ({
  [`${PREFIX}/installation`]: installation,
  [`${PREFIX}/fence`]: fence,
})
export const fenceOfLabels = (labels: Readonly<Record<string, string>>): string | null =>
  labels[`${PREFIX}/fence`] ?? null
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 10)

export function podName(ref: AttemptRef): string {
  const slug = ref.task.toLowerCase().replace(/[^a-z0-9]+/gu, '-').replace(/^-+|-+$/gu, '').slice(0, 40)
  return `k-${slug}-${ref.attempt}-${hashOf(`${ref.run}/${ref.task}/${ref.attempt}`)}`
}

export function refOfPod(pod: KubeObject, installation: string): AttemptRef | null {
  const { labels = {}, annotations = {} } = pod.metadata
  if (labels[`${PREFIX}/installation`] !== installation) return null
  const text = annotations[`${PREFIX}/attempt`]
  if (text === undefined) return null
  const [run = '', task = '', attempt = ''] = text.split('/')
  const ref = { run, task, attempt: Number(attempt) }
  return podName(ref) === pod.metadata.name ? ref : null
}

export const isPodOf = (pod: KubeObject, installation: string, ref: AttemptRef): boolean => {
  const found = refOfPod(pod, installation)
  return found !== null && found.run === ref.run && found.task === ref.task && found.attempt === ref.attempt
}
export const isTombstone = (pod: KubeObject): boolean => pod.metadata.labels?.[`${PREFIX}/tombstone`] === 'true'
