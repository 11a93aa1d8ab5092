import type { AttemptSpec } from '../../ports/executor.ts'
import type { Dialect } from './container-engine.ts'
import type { Limit } from './limits.ts'
import { attemptLabels } from './names.ts'
import type { ContainerSettings, VolumeMount } from './pod-template.ts'

/** Where an attempt's files are inside its container. */
export const INSIDE = {
  script: '/kontroler/script',
  outputs: '/kontroler/output',
  output: '/kontroler/output/values',
  workspace: '/workspace',
} as const

/** Where they are on this machine. */
export interface AttemptFiles {
  /** Null when the task has no script. */
  readonly script: string | null
  /** Directory that holds the file which `$KONTROLER_OUTPUT` names. */
  readonly outputs: string
  readonly workspace: string | null
  /** Where Podman writes what the container says. */
  readonly engineLog: string
  /** Where volumes of a name are, made when they are not there. */
  readonly volumes: string
}

/** What is the same for all containers of an executor. */
export interface Surroundings {
  readonly state: string
  readonly dialect: Dialect
  /** Network of the containers; null for the engine's own default. */
  readonly network: string | null
  /** Whether an init process is put in front: it reaps zombies and passes signals on. */
  readonly init: boolean
  /** Whether the system labels files (SELinux), so that containers could not read what is mounted. */
  readonly labelled: boolean
  readonly limits: readonly Limit[]
}

/**
 * What a container is created with. Variables, secrets among them, are in this body only: it goes over the
 * socket, never into arguments. Pure, so that a test can see all of it.
 */
export function createBody(
  spec: AttemptSpec,
  settings: ContainerSettings,
  files: AttemptFiles,
  surroundings: Surroundings,
): Readonly<Record<string, unknown>> {
  return {
    Image: imageName(spec.work.image ?? ''),
    ...commandOf(spec),
    Env: [...environmentOf(spec, files)].map(([name, value]) => `${name}=${value}`),
    Labels: labelsOf(spec, surroundings.state),
    ...(settings.user === null ? {} : { User: settings.user }),
    ...(settings.workingDir === null ? {} : { WorkingDir: settings.workingDir }),
    ...(settings.hostname === null ? {} : { Hostname: settings.hostname }),
    Tty: false,
    OpenStdin: false,
    HostConfig: hostConfig(settings, files, surroundings),
  }
}

/**
 * The name in full: a name without a tag means `latest`, never "every tag there is".
 *
 * @example imageName('busybox') → 'busybox:latest'
 */
export function imageName(image: string): string {
  const last = image.slice(image.lastIndexOf('/') + 1)
  return last.includes(':') || image.includes('@') ? image : `${image}:latest`
}

function hostConfig(
  settings: ContainerSettings,
  files: AttemptFiles,
  surroundings: Surroundings,
): Readonly<Record<string, unknown>> {
  const { dialect, init, labelled, limits } = surroundings
  const network = settings.network ?? surroundings.network
  return {
    ...(network === null ? {} : { NetworkMode: network }),
    Init: init,
    Mounts: mountsOf(settings.mounts, files),
    Tmpfs: Object.fromEntries(settings.mounts.flatMap(tmpfsOf)),
    ReadonlyRootfs: settings.readOnlyRoot,
    CapAdd: settings.capabilitiesAdd,
    CapDrop: settings.capabilitiesDrop,
    GroupAdd: settings.groups,
    ExtraHosts: settings.hosts,
    SecurityOpt: [
      ...(settings.privilegeEscalation ? [] : ['no-new-privileges']),
      ...(labelled ? ['label=disable'] : []),
    ],
    // As in a cluster, the limit is on all memory: what does not fit is not swapped out.
    ...(settings.memoryBytes === null
      ? {}
      : { Memory: settings.memoryBytes, MemorySwap: settings.memoryBytes }),
    ...(settings.nanoCpus === null ? {} : { NanoCpus: settings.nanoCpus }),
    Ulimits: limits,
    RestartPolicy: { Name: 'no' },
    AutoRemove: false,
    LogConfig: logConfig(dialect, files),
  }
}

/**
 * Docker's usual log (`json-file`) is not used: it replaces bytes that are not UTF-8. `local` keeps them; one file of a
 * size that is never reached is never rotated. Podman is told to write a file of ours, in the format of the kubelet.
 */
function logConfig(dialect: Dialect, files: AttemptFiles): Readonly<Record<string, unknown>> {
  if (dialect === 'podman') return { Type: 'k8s-file', Config: { path: files.engineLog } }
  return { Type: 'local', Config: { 'max-size': '1000g', 'max-file': '1', compress: 'false' } }
}

/** As in a pod: `command` takes the place of the image's entry point, `args` that of its arguments. */
function commandOf({ work }: AttemptSpec): Readonly<Record<string, unknown>> {
  if (work.script !== null) {
    const start = work.script.startsWith('#!') ? [INSIDE.script] : ['/bin/sh', INSIDE.script]
    return { Entrypoint: start, Cmd: work.args }
  }
  return {
    ...(work.command.length === 0 ? {} : { Entrypoint: work.command }),
    ...(work.args.length === 0 ? {} : { Cmd: work.args }),
  }
}

function environmentOf(spec: AttemptSpec, files: AttemptFiles): ReadonlyMap<string, string> {
  const all = new Map(spec.env.map(({ name, value }) => [name, value]))
  all.set('KONTROLER_ATTEMPT_ID', `${spec.run}/${spec.task}/${spec.attempt}`)
  all.set('KONTROLER_OUTPUT', INSIDE.output)
  if (files.workspace !== null) all.set('KONTROLER_WORKSPACE', INSIDE.workspace)
  return all
}

const labelsOf = (spec: AttemptSpec, state: string): Readonly<Record<string, string>> => ({
  ...attemptLabels(state, spec),
  'io.kontroler.namespace': spec.namespace,
  'io.kontroler.dag': spec.dag,
  'io.kontroler.run-name': spec.runName,
})

function mountsOf(volumes: readonly VolumeMount[], files: AttemptFiles): readonly unknown[] {
  const own = [
    { source: files.outputs, target: INSIDE.outputs, readOnly: false },
    ...(files.script === null ? [] : [{ source: files.script, target: INSIDE.script, readOnly: true }]),
    ...(files.workspace === null
      ? []
      : [{ source: files.workspace, target: INSIDE.workspace, readOnly: false }]),
  ]
  const given = volumes.flatMap(({ source, target, readOnly }) => {
    if (source.kind === 'host') return [{ source: source.path, target, readOnly }]
    if (source.kind === 'empty') return [{ source: emptyFolder(files, source), target, readOnly }]
    return []
  })
  return [...own, ...given].map(({ source, target, readOnly }) => ({
    Type: 'bind',
    Source: source,
    Target: target,
    ReadOnly: readOnly,
  }))
}

/** The folder that stands for an `emptyDir`, by a number rather than by a name that somebody chose. */
export const emptyFolder = (
  files: AttemptFiles,
  source: { readonly name: string; readonly subPath: string },
): string =>
  [files.volumes, Buffer.from(source.name).toString('hex'), source.subPath]
    .filter(part => part !== '')
    .join('/')

function tmpfsOf({ source, target, readOnly }: VolumeMount): readonly (readonly [string, string])[] {
  if (source.kind !== 'memory') return []
  const options = [readOnly ? 'ro' : 'rw', ...(source.bytes === null ? [] : [`size=${source.bytes}`])]
  return [[target, options.join(',')]]
}
