import type { KubeObject } from '../../../src/kubernetes/object.ts'

/** What a node reads of a pod. */
export interface FakePodObject extends KubeObject {
  readonly metadata: KubeObject['metadata'] & { readonly deletionGracePeriodSeconds?: number }
  readonly spec: {
    readonly nodeName?: string
    readonly schedulingGates?: readonly unknown[]
    readonly activeDeadlineSeconds?: number
    readonly containers: readonly FakeContainer[]
    readonly initContainers?: readonly FakeContainer[]
    readonly volumes?: readonly FakeVolume[]
  }
  readonly status?: { readonly phase?: string; readonly startTime?: string }
}

export interface FakeContainer {
  readonly name: string
  readonly image?: string
  readonly restartPolicy?: string
  readonly env?: readonly FakeVariable[]
  readonly envFrom?: readonly { readonly configMapRef?: Named; readonly secretRef?: Named }[]
  readonly volumeMounts?: readonly { readonly name: string }[]
}

interface FakeVariable {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: { readonly configMapKeyRef?: Named; readonly secretKeyRef?: Named }
}

interface FakeVolume extends Source {
  readonly name: string
  readonly projected?: { readonly sources?: readonly Source[] }
}

interface Source {
  readonly configMap?: Named
  /** `secretName` in a volume, `name` in a projected one. */
  readonly secret?: Named & { readonly secretName?: string }
}

interface Named {
  readonly name?: string
  readonly optional?: boolean
}

/** An object of the pod's own namespace. */
export interface Needed {
  readonly kind: 'configmap' | 'secret'
  readonly name: string
}

const needed = (kind: Needed['kind'], ref: Named | undefined, name = ref?.name): readonly Needed[] =>
  ref === undefined || ref.optional === true || name === undefined ? [] : [{ kind, name }]

/** What has to be there before any container starts: what volumes are made of that a container mounts. */
export function neededByVolumes({ spec }: FakePodObject): readonly Needed[] {
  const mounted = new Set(
    [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ volumeMounts = [] }) =>
      volumeMounts.map(({ name }) => name),
    ),
  )
  return (spec.volumes ?? [])
    .filter(({ name }) => mounted.has(name))
    .flatMap(volume => [volume, ...(volume.projected?.sources ?? [])])
    .flatMap(({ configMap, secret }) => [
      ...needed('configmap', configMap),
      ...needed('secret', secret, secret?.secretName ?? secret?.name),
    ])
}

/** What has to be there before this container starts: what its variables come from. */
export const neededByVariables = ({ env = [], envFrom = [] }: FakeContainer): readonly Needed[] => [
  ...env.flatMap(({ valueFrom }) => [
    ...needed('configmap', valueFrom?.configMapKeyRef),
    ...needed('secret', valueFrom?.secretKeyRef),
  ]),
  ...envFrom.flatMap(({ configMapRef, secretRef }) => [
    ...needed('configmap', configMapRef),
    ...needed('secret', secretRef),
  ]),
]
