import type { Json } from '../../core/json.ts'
import type { AttemptSpec, Intended } from '../../ports/executor.ts'
import {
  attemptId,
  attemptLabels,
  containerName,
  FINALIZER,
  fenceLabels,
  fenceName,
  GATE,
  KEYS,
  labelValue,
  podName,
  scriptName,
  workspaceName,
} from './names.ts'
import { hardened, hardenedPod, isForWindows } from './security.ts'
import { type Fields, fieldsOf, listOf, merged, splitTemplate } from './template.ts'

/** Where an attempt's files are in its pod. */
export const INSIDE = {
  /** Folder of the fence and the script; read-only. */
  own: '/kontroler',
  script: '/kontroler/script',
  /** The kubelet hands on what is in this file when the container ends. */
  output: '/dev/termination-log',
  workspace: '/workspace',
} as const

/** Names of the engine's volumes; `workspace` is upstream's, and any container of the pod may mount it. */
export const OWN_VOLUMES = { own: 'kontroler', workspace: 'workspace' } as const

/** What is the same for all pods of an executor, and the fence of this one. */
export interface Surroundings {
  readonly installation: string
  readonly fence: string
  readonly stopGraceSeconds: number
}

export interface NewObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}

/**
 * The pod of an attempt: a safe default, the template merged over it, and over both what the engine itself needs
 * (`docs/reference/pods.md`). Pure, so that a test can see all of it. A template that asks for what cannot be is told
 * by `podProblem`.
 */
export function podBody(spec: AttemptSpec, surroundings: Surroundings): NewObject {
  const { pod, container, metadata, sidecars, initContainers } = splitTemplate(spec)
  const { security, startGuarantee, evidence } = spec.pod
  const safe = (one: Fields): Fields => (isForWindows(spec) ? one : hardened(one, security))
  const base: Fields = {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: surroundings.stopGraceSeconds,
    ...(isForWindows(spec) ? {} : { securityContext: hardenedPod(security, spec.workspace) }),
  }
  const gates = startGuarantee === 'strict' ? [{ name: GATE }] : []
  const schedulingGates = [...gates, ...listOf(pod['schedulingGates'])]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadataOf(spec, surroundings, metadata),
      ...(evidence === 'finalizer' ? { finalizers: [FINALIZER] } : {}),
    },
    spec: {
      ...merged(base, pod),
      restartPolicy: 'Never',
      ...(schedulingGates.length === 0 ? {} : { schedulingGates }),
      volumes: [...ownVolumes(spec, surroundings), ...listOf(pod['volumes'])],
      ...(initContainers.length === 0 ? {} : { initContainers: initContainers.map(safe) }),
      containers: [safe(taskContainer(spec, container)), ...sidecars.map(safe)],
    },
  }
}

/** A pod that takes the attempt's name and never starts. */
export function tombstone(ref: Intended, surroundings: Omit<Surroundings, 'stopGraceSeconds'>): NewObject {
  const metadata = metadataOf(ref, surroundings, {})
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, labels: { ...metadata.labels, [KEYS.tombstone]: 'true' } },
    spec: {
      schedulingGates: [{ name: GATE }],
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: hardenedPod('restricted', false),
      containers: [
        hardened({ name: containerName(ref.task), image: 'kontroler.invalid/never-starts' }, 'restricted'),
      ],
    },
  }
}

export const scriptMap = (
  script: string,
  { installation, fence }: Pick<Surroundings, 'installation' | 'fence'>,
): NewObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: scriptName(script, fence), labels: fenceLabels(installation, fence) },
  immutable: true,
  data: { script },
})

const DEFAULT_CLAIM: Fields = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }

export const workspaceClaim = (spec: AttemptSpec, installation: string): NewObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: {
    name: workspaceName(spec.run),
    labels: {
      [KEYS.installation]: installation,
      [KEYS.managedBy]: 'kontroler',
      [KEYS.run]: labelValue(spec.run),
      [KEYS.runName]: labelValue(spec.runName),
      [KEYS.dag]: labelValue(spec.dag),
    },
  },
  spec: merged(DEFAULT_CLAIM, fieldsOf(spec.pod.workspaceClaim)),
})

interface Metadata {
  readonly name: string
  readonly labels: Readonly<Record<string, Json>>
  readonly annotations: Readonly<Record<string, Json>>
}

/** What the engine says of the pod cannot be said otherwise by a template. */
function metadataOf(
  ref: Intended | AttemptSpec,
  { installation, fence }: Omit<Surroundings, 'stopGraceSeconds'>,
  template: Fields,
): Metadata {
  const outputs = 'outputs' in ref ? ref.outputs : []
  return {
    name: podName(ref),
    labels: {
      ...fieldsOf(template['labels']),
      ...fenceLabels(installation, fence),
      ...attemptLabels(ref),
    },
    annotations: {
      ...fieldsOf(template['annotations']),
      [KEYS.attempt]: attemptId(ref),
      [KEYS.container]: containerName(ref.task),
      ...(outputs.length === 0 ? {} : { [KEYS.outputs]: JSON.stringify(outputs) }),
    },
  }
}

/**
 * Fence and script in one volume. A kubelet starts no container of a pod, be it an init container or one that somebody
 * injected, before every volume that any of them mounts is there; so it is enough that the task's own mounts it.
 */
function ownVolumes(spec: AttemptSpec, { installation, fence }: Surroundings): readonly Json[] {
  const sources: Json[] = [{ configMap: { name: fenceName(installation, fence) } }]
  if (spec.work.script !== null)
    sources.push({
      configMap: {
        name: scriptName(spec.work.script, fence),
        items: [{ key: 'script', path: 'script', mode: 0o555 }],
      },
    })
  const own: Json[] = [{ name: OWN_VOLUMES.own, projected: { sources } }]
  if (spec.workspace)
    own.push({ name: OWN_VOLUMES.workspace, persistentVolumeClaim: { claimName: workspaceName(spec.run) } })
  return own
}

/** Fields of the task's container that are put together here. */
const NOT_OF_TEMPLATE: Fields = {
  name: null,
  image: null,
  command: null,
  args: null,
  resources: null,
  env: null,
  volumeMounts: null,
}

/** The task's own words win over the template's, and the engine's over both. */
function taskContainer(spec: AttemptSpec, template: Fields): Fields {
  const { work } = spec
  const mounts: Json[] = [{ name: OWN_VOLUMES.own, mountPath: INSIDE.own, readOnly: true }]
  if (spec.workspace) mounts.push({ name: OWN_VOLUMES.workspace, mountPath: INSIDE.workspace })
  const resources = merged(fieldsOf(template['resources']), fieldsOf(work.resources))
  return {
    name: containerName(spec.task),
    image: work.image,
    ...commandOf(spec),
    ...merged(template, NOT_OF_TEMPLATE),
    ...(Object.keys(resources).length === 0 ? {} : { resources }),
    env: environmentOf(spec, listOf(template['env'])),
    volumeMounts: [...mounts, ...listOf(template['volumeMounts'])],
    terminationMessagePath: INSIDE.output,
    terminationMessagePolicy: template['terminationMessagePolicy'] ?? 'File',
  }
}

function commandOf({ work }: AttemptSpec): Fields {
  if (work.script !== null) {
    const start = work.script.startsWith('#!') ? [INSIDE.script] : ['/bin/sh', INSIDE.script]
    return { command: start, ...(work.args.length === 0 ? {} : { args: work.args.map(verbatim) }) }
  }
  return {
    ...(work.command.length === 0 ? {} : { command: work.command.map(verbatim) }),
    ...(work.args.length === 0 ? {} : { args: work.args.map(verbatim) }),
  }
}

/**
 * Each name once. Variables of the template come last, so that in Kubernetes style they can name the task's; one that
 * the task has as well is the task's.
 */
function environmentOf(spec: AttemptSpec, template: readonly Json[]): readonly Json[] {
  const all = new Map<string, Json>()
  const set = (name: string, entry: Fields): void => {
    all.delete(name)
    all.set(name, { name, ...entry })
  }
  const text = (name: string, value: string): void => set(name, { value: verbatim(value) })
  for (const { name, value } of spec.env) text(name, value)
  for (const { name, source } of spec.references) set(name, { valueFrom: referenceOf(source) })
  text('KONTROLER_ATTEMPT_ID', attemptId(spec))
  text('KONTROLER_OUTPUT', INSIDE.output)
  if (spec.workspace) text('KONTROLER_WORKSPACE', INSIDE.workspace)
  const own = new Set(all.keys())
  for (const given of template) {
    const { name, ...entry } = fieldsOf(given)
    if (typeof name === 'string' && !own.has(name)) set(name, entry)
  }
  return [...all.values()]
}

function referenceOf(source: AttemptSpec['references'][number]['source']): Json {
  switch (source.kind) {
    case 'secret':
      return { secretKeyRef: { ...source.secret, ...(source.optional ? { optional: true } : {}) } }
    case 'configMap':
      return { configMapKeyRef: { ...source.configMap, ...(source.optional ? { optional: true } : {}) } }
    case 'pod':
      return source.source
  }
}

/**
 * Kubernetes replaces `$(NAME)` in commands, arguments and variables, and `$$` by `$`. A task means what it says, as on
 * every executor.
 */
const verbatim = (text: string): string => text.replaceAll('$', '$$$$')
