import type { Json } from '../../core/json.ts'
import type { AttemptSpec, Intended } from '../../ports/executor.ts'
import {
  containerName,
  FINALIZER,
  fenceLabels,
  fenceName,
  GATE,
  KEYS,
  podName,
  scriptName,
  workspaceName,
} from './names.ts'
import { hardened, hardenedPod } from './security.ts'
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

/** Names of volumes that a template cannot use. */
export const OWN_VOLUMES = { own: 'kontroler', workspace: 'kontroler-workspace' } as const

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
 * (`docs/reference/pods.md`). Pure, so that a test can see all of it.
 */
export function podBody(spec: AttemptSpec, surroundings: Surroundings): NewObject {
  const { pod, container, metadata, sidecars, initContainers } = splitTemplate(spec)
  const security = spec.pod.security
  const volumes = [...ownVolumes(spec, surroundings), ...listOf(pod['volumes'])]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadataOf(spec, surroundings, metadata),
      ...(spec.pod.evidence === 'finalizer' ? { finalizers: [FINALIZER] } : {}),
    },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: surroundings.stopGraceSeconds,
      ...pod,
      securityContext: merged(hardenedPod(security), fieldsOf(pod['securityContext'])),
      restartPolicy: 'Never',
      ...(spec.pod.startGuarantee === 'strict'
        ? { schedulingGates: [...listOf(pod['schedulingGates']), { name: GATE }] }
        : {}),
      volumes,
      ...(initContainers.length === 0
        ? {}
        : { initContainers: initContainers.map(one => hardened(one, security)) }),
      containers: [
        hardened(taskContainer(spec, container), security),
        ...sidecars.map(one => hardened(one, security)),
      ],
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
      securityContext: hardenedPod('restricted'),
      containers: [
        hardened({ name: containerName(ref.task), image: 'kontroler.invalid/never-starts' }, 'restricted'),
      ],
    },
  }
}

export const scriptMap = (script: string, installation: string): NewObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: scriptName(script), labels: { [KEYS.installation]: installation } },
  immutable: true,
  data: { script },
})

const DEFAULT_CLAIM: Json = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }

export const workspaceClaim = (spec: AttemptSpec, installation: string): NewObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: {
    name: workspaceName(spec.run),
    labels: { [KEYS.installation]: installation, [KEYS.run]: spec.run, ...dagLabel(spec.dag) },
  },
  spec: spec.pod.workspaceClaim ?? DEFAULT_CLAIM,
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
      [KEYS.run]: ref.run,
      ...('dag' in ref ? dagLabel(ref.dag) : {}),
    },
    annotations: {
      ...fieldsOf(template['annotations']),
      [KEYS.attempt]: `${ref.run}/${ref.task}/${ref.attempt}`,
      [KEYS.container]: containerName(ref.task),
      ...(outputs.length === 0 ? {} : { [KEYS.outputs]: JSON.stringify(outputs) }),
    },
  }
}

/** A DAG's name may be longer than a label's value. */
const dagLabel = (dag: string): Readonly<Record<string, string>> =>
  dag.length <= 63 ? { [KEYS.dag]: dag } : {}

function ownVolumes(spec: AttemptSpec, { installation, fence }: Surroundings): readonly Json[] {
  const sources: Json[] = [{ configMap: { name: fenceName(installation, fence) } }]
  if (spec.work.script !== null)
    sources.push({
      configMap: {
        name: scriptName(spec.work.script),
        items: [{ key: 'script', path: 'script', mode: 0o555 }],
      },
    })
  const own: Json[] = [{ name: OWN_VOLUMES.own, projected: { sources } }]
  if (spec.workspace)
    own.push({ name: OWN_VOLUMES.workspace, persistentVolumeClaim: { claimName: workspaceName(spec.run) } })
  return own
}

function taskContainer(spec: AttemptSpec, template: Fields): Fields {
  const { work } = spec
  const mounts: Json[] = [{ name: OWN_VOLUMES.own, mountPath: INSIDE.own, readOnly: true }]
  if (spec.workspace) mounts.push({ name: OWN_VOLUMES.workspace, mountPath: INSIDE.workspace })
  const resources = merged(fieldsOf(template['resources']), fieldsOf(work.resources))
  return {
    ...template,
    name: containerName(spec.task),
    image: work.image,
    ...commandOf(spec),
    env: environmentOf(spec, listOf(template['env'])),
    ...(Object.keys(resources).length === 0 ? {} : { resources }),
    volumeMounts: [...mounts, ...listOf(template['volumeMounts'])],
    terminationMessagePath: INSIDE.output,
    terminationMessagePolicy: 'File',
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

/** Variables of the template first, so that the task's own win; each name once, as a Kubernetes list wants it. */
function environmentOf(spec: AttemptSpec, template: readonly Json[]): readonly Json[] {
  const all = new Map<string, Json>()
  for (const given of template) {
    const { name } = fieldsOf(given)
    if (typeof name === 'string') all.set(name, given)
  }
  const text = (name: string, value: string): void => {
    all.delete(name)
    all.set(name, { name, value: verbatim(value) })
  }
  for (const { name, value } of spec.env) text(name, value)
  for (const { name, source } of spec.references) {
    all.delete(name)
    all.set(name, { name, valueFrom: referenceOf(source) })
  }
  text('KONTROLER_ATTEMPT_ID', `${spec.run}/${spec.task}/${spec.attempt}`)
  text('KONTROLER_OUTPUT', INSIDE.output)
  if (spec.workspace) text('KONTROLER_WORKSPACE', INSIDE.workspace)
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
