import type { ContainerWork } from '../../core/dag/dag.ts'
import type { Json } from '../../core/json.ts'

/** What a process cannot honour of a task that was written for a pod, in sentences for people. */
export function ignoredOf(work: ContainerWork): readonly string[] {
  const ignored: string[] = []
  if (work.image !== null) ignored.push(`image ${work.image} is ignored: the task runs as a local process`)
  if (work.scriptInjectorImage !== null) ignored.push('scriptInjectorImage is ignored: no image is needed')
  if (isSet(work.resources)) ignored.push('resources are ignored: a local process has no limits of its own')
  for (const field of fieldsOf(work.podTemplate)) {
    if (BY_ENGINE.has(field)) continue
    const why = POD_FIELDS[field] ?? 'it has no meaning for a local process'
    ignored.push(`podTemplate.${field} is ignored: ${why}`)
  }
  for (const variable of work.env) {
    if (variable.kind === 'pod') ignored.push(`env ${variable.name} is ignored: only a pod can fill it in`)
  }
  return ignored
}

/** Honoured before an executor is asked: as `timeout`, and by retries. */
const BY_ENGINE: ReadonlySet<string> = new Set(['activeDeadlineSeconds', 'restartPolicy'])

const POD_FIELDS: Readonly<Record<string, string>> = {
  volumes: 'a local process sees the files of this machine',
  volumeMounts: 'a local process sees the files of this machine',
  serviceAccountName: 'a local process has no service account',
  imagePullSecrets: 'no image is pulled',
  initContainers: 'a local process has no containers beside it',
  containers: 'a local process has no containers beside it',
  nodeSelector: 'there is only this machine',
  affinity: 'there is only this machine',
  tolerations: 'there is only this machine',
  securityContext: 'a local process runs as the user who started the engine',
}

const isSet = (value: Json): boolean =>
  value !== null && !(typeof value === 'object' && Object.keys(value).length === 0)

function fieldsOf(template: Json): string[] {
  if (template === null || typeof template !== 'object' || Array.isArray(template)) return []
  return Object.entries(template as Readonly<Record<string, Json>>)
    .filter(([, value]) => isSet(value))
    .map(([name]) => name)
}
