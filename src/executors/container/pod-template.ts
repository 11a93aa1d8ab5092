import type { ContainerWork } from '../../core/dag/dag.ts'
import type { Json } from '../../core/json.ts'
import { parseQuantity } from './quantity.ts'

/** What of a task's `resources` and `podTemplate` a container of Docker or Podman can be given. */
export interface ContainerSettings {
  /** `uid[:gid]`; null leaves the image's. */
  readonly user: string | null
  readonly groups: readonly string[]
  readonly readOnlyRoot: boolean
  readonly capabilitiesAdd: readonly string[]
  readonly capabilitiesDrop: readonly string[]
  readonly privilegeEscalation: boolean
  readonly workingDir: string | null
  readonly pullPolicy: PullPolicy
  readonly network: 'host' | null
  readonly hostname: string | null
  readonly hosts: readonly string[]
  readonly memoryBytes: number | null
  readonly nanoCpus: number | null
  readonly mounts: readonly VolumeMount[]
}

export type PullPolicy = 'IfNotPresent' | 'Always' | 'Never'

export interface VolumeMount {
  readonly target: string
  readonly readOnly: boolean
  readonly source:
    | { readonly kind: 'host'; readonly path: string; readonly make: boolean }
    | { readonly kind: 'empty'; readonly name: string; readonly subPath: string }
    | { readonly kind: 'memory'; readonly bytes: number | null }
}

export interface ReadTemplate {
  readonly settings: ContainerSettings
  /** Sentences about what is not honoured. */
  readonly ignored: readonly string[]
  /** A sentence about what cannot be meant; null when all is well. */
  readonly problem: string | null
}

type Fields = Readonly<Record<string, Json>>

/** Fields that are honoured, or that the engine itself honours on every executor. */
const HONOURED: ReadonlySet<string> = new Set([
  'securityContext',
  'containerSecurityContext',
  'volumes',
  'volumeMounts',
  'resources',
  'imagePullPolicy',
  'workingDir',
  'hostNetwork',
  'hostname',
  'hostAliases',
  'activeDeadlineSeconds',
  'restartPolicy',
])

const WHY: Readonly<Record<string, string>> = {
  serviceAccountName: 'a local container has no service account',
  serviceAccount: 'a local container has no service account',
  automountServiceAccountToken: 'a local container has no service account',
  imagePullSecrets: 'the credentials of docker login or podman login are used',
  initContainers: 'the task has one container',
  containers: 'the task has one container',
  nodeSelector: 'there is only this machine',
  affinity: 'there is only this machine',
  tolerations: 'there is only this machine',
}

/** Reads what a local container can honour; everything else is named in a sentence. */
export function readTemplate(work: ContainerWork): ReadTemplate {
  const template = fieldsOf(work.podTemplate)
  const ignored: string[] = []
  const say = (field: string, why: string): void =>
    void ignored.push(`podTemplate.${field} is ignored: ${why}`)
  for (const [field, value] of Object.entries(template)) {
    if (isSet(value) && !HONOURED.has(field))
      say(field, WHY[field] ?? 'it has no meaning for a local container')
  }
  const pod = fieldsOf(template['securityContext'])
  const own = fieldsOf(template['containerSecurityContext'])
  const security = { ...pod, ...own }
  saySecurity(pod, own, say)
  const limits = {
    ...fieldsOf(fieldsOf(template['resources'])['limits']),
    ...fieldsOf(fieldsOf(work.resources)['limits']),
  }
  for (const name of Object.keys(limits)) {
    if (name !== 'cpu' && name !== 'memory')
      ignored.push(`resources.limits.${name} is ignored: a local container is limited in cpu and memory`)
  }
  const { mounts, problem } = readMounts(template, say)
  const user = userOf(security)
  const root = security['runAsNonRoot'] === true && (user === '0' || user?.startsWith('0:') === true)
  return {
    ignored,
    problem: problem ?? (root ? 'runAsNonRoot is set, and runAsUser is 0' : null),
    settings: {
      user,
      groups: [...listOf(security['supplementalGroups']), ...listOf([security['fsGroup'] ?? null])].flatMap(
        group => (typeof group === 'number' ? [String(group)] : []),
      ),
      readOnlyRoot: security['readOnlyRootFilesystem'] === true,
      capabilitiesAdd: textsOf(fieldsOf(security['capabilities'])['add']),
      capabilitiesDrop: textsOf(fieldsOf(security['capabilities'])['drop']),
      privilegeEscalation: security['allowPrivilegeEscalation'] === true,
      workingDir: textOf(template['workingDir']),
      pullPolicy: pullPolicyOf(template['imagePullPolicy']),
      network: template['hostNetwork'] === true ? 'host' : null,
      hostname: textOf(template['hostname']),
      hosts: hostsOf(template['hostAliases']),
      memoryBytes: wholeOf(parseQuantity(limits['memory'])),
      nanoCpus: wholeOf((parseQuantity(limits['cpu']) ?? Number.NaN) * 1e9),
      mounts,
    },
  }
}

type Say = (field: string, why: string) => void

const SECURITY: ReadonlySet<string> = new Set([
  'runAsUser',
  'runAsGroup',
  'runAsNonRoot',
  'readOnlyRootFilesystem',
  'capabilities',
  'fsGroup',
  'supplementalGroups',
  'allowPrivilegeEscalation',
])

function saySecurity(pod: Fields, own: Fields, say: Say): void {
  for (const [field, given] of [
    ['securityContext', pod],
    ['containerSecurityContext', own],
  ] as const) {
    for (const [name, value] of Object.entries(given)) {
      if (SECURITY.has(name) || !isSet(value) || value === false) continue
      if (name === 'seccompProfile' && fieldsOf(value)['type'] === 'RuntimeDefault') continue
      say(
        `${field}.${name}`,
        name === 'privileged'
          ? 'a task never gets the whole machine'
          : 'it has no meaning for a local container',
      )
    }
  }
}

function readMounts(template: Fields, say: Say): { mounts: readonly VolumeMount[]; problem: string | null } {
  const volumes = new Map(
    listOf(template['volumes'])
      .map(fieldsOf)
      .map(volume => [textOf(volume['name']), volume]),
  )
  const mounts: VolumeMount[] = []
  let problem: string | null = null
  for (const mount of listOf(template['volumeMounts']).map(fieldsOf)) {
    const name = textOf(mount['name']) ?? ''
    const target = textOf(mount['mountPath']) ?? ''
    const subPath = textOf(mount['subPath']) ?? ''
    const volume = volumes.get(name)
    if (volume === undefined)
      problem ??= `volumeMounts names a volume ${JSON.stringify(name)} that is not in volumes`
    else if (!target.startsWith('/'))
      problem ??= `volumeMounts: ${JSON.stringify(target)} is not an absolute path`
    else if (subPath.split('/').includes('..'))
      problem ??= `volumeMounts: subPath ${JSON.stringify(subPath)} leads out`
    else {
      const source = sourceOf(name, volume, subPath)
      if (source === null) say(`volumes (${name})`, 'a local container has emptyDir and hostPath')
      else mounts.push({ target, readOnly: mount['readOnly'] === true, source })
    }
  }
  return { mounts, problem }
}

function sourceOf(name: string, volume: Fields, subPath: string): VolumeMount['source'] | null {
  if (volume['emptyDir'] !== undefined) {
    const empty = fieldsOf(volume['emptyDir'])
    if (empty['medium'] !== 'Memory') return { kind: 'empty', name, subPath }
    return { kind: 'memory', bytes: wholeOf(parseQuantity(empty['sizeLimit'])) }
  }
  const host = fieldsOf(volume['hostPath'])
  const path = textOf(host['path'])
  if (path === null || !path.startsWith('/')) return null
  return {
    kind: 'host',
    path: subPath === '' ? path : `${path.replace(/\/+$/u, '')}/${subPath}`,
    make: host['type'] === 'DirectoryOrCreate',
  }
}

function userOf(security: Fields): string | null {
  const { runAsUser, runAsGroup } = security
  if (typeof runAsUser !== 'number') return null
  return typeof runAsGroup === 'number' ? `${runAsUser}:${runAsGroup}` : String(runAsUser)
}

const pullPolicyOf = (value: Json | undefined): PullPolicy =>
  value === 'Always' || value === 'Never' ? value : 'IfNotPresent'

const hostsOf = (value: Json | undefined): readonly string[] =>
  listOf(value)
    .map(fieldsOf)
    .flatMap(alias => textsOf(alias['hostnames']).map(name => `${name}:${textOf(alias['ip']) ?? ''}`))

const wholeOf = (value: number | null): number | null =>
  value === null || !Number.isFinite(value) || value <= 0 ? null : Math.ceil(value)

const isSet = (value: Json): boolean =>
  value !== null && !(typeof value === 'object' && Object.keys(value).length === 0)
const fieldsOf = (value: Json | undefined): Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Fields) : {}
const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : [])
const textOf = (value: Json | undefined): string | null =>
  typeof value === 'string' && value !== '' ? value : null
const textsOf = (value: Json | undefined): readonly string[] =>
  listOf(value).filter(item => typeof item === 'string')
