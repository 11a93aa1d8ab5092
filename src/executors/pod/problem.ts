import type { Json } from '../../core/json.ts'
import type { AttemptSpec } from '../../ports/executor.ts'
import { INSIDE, OWN_VOLUMES, podBody } from './body.ts'
import { containerName, isOwnKey } from './names.ts'
import { restrictedProblem } from './restricted.ts'
import { type Fields, fieldsOf, listOf, splitTemplate } from './template.ts'

/** Most bytes of a ConfigMap, which a script has to fit into. */
const SCRIPT_BYTES_MAX = 1024 * 1024

/**
 * Why there can be no such pod, in one sentence: the template asks for what the engine needs for itself, or for what
 * the DAG's `podSecurity` rules out. Null when all is well, as far as can be known before the cluster is asked.
 *
 * @example 'podTemplate.volumes has "kontroler", a name that the engine uses itself'
 */
export function podProblem(spec: AttemptSpec): string | null {
  return (
    workProblem(spec) ??
    templateProblem(spec) ??
    metadataProblem(splitTemplate(spec).metadata) ??
    containerProblem(spec) ??
    (spec.pod.security === 'restricted' ? restrictedProblem(podSpecOf(spec)) : null)
  )
}

/** Which fence and which grace it is made with has nothing to do with its security. */
function podSpecOf(spec: AttemptSpec): Fields {
  const body = podBody(spec, { installation: 'any', fence: 'any', stopGraceSeconds: 0 })
  return fieldsOf(body['spec'] as Json)
}

function workProblem({ work }: AttemptSpec): string | null {
  if (work.image === null) return 'it has no image'
  if (work.script !== null && Buffer.byteLength(work.script) > SCRIPT_BYTES_MAX)
    return 'its script is larger than 1 MiB, more than a ConfigMap holds'
  return null
}

function templateProblem(spec: AttemptSpec): string | null {
  const template = fieldsOf(spec.work.podTemplate)
  const restart = template['restartPolicy'] ?? 'Never'
  if (restart !== 'Never')
    return `podTemplate.restartPolicy is ${JSON.stringify(restart)}, but only Never can be: the engine retries`
  if (listOf(template['ephemeralContainers']).length > 0)
    return 'podTemplate.ephemeralContainers cannot be given to a new pod; write them as containers'
  if (JSON.stringify(template).includes('"RestartAllContainers"'))
    return 'podTemplate asks for RestartAllContainers, which would start the task again: the engine retries'
  if (spec.pod.startGuarantee === 'strict' && (template['nodeName'] ?? '') !== '')
    return 'podTemplate.nodeName goes around the scheduler, which startGuarantee: strict needs; use nodeSelector'
  const taken = spec.workspace ? Object.values(OWN_VOLUMES) : [OWN_VOLUMES.own]
  for (const volume of listOf(template['volumes']).map(fieldsOf))
    if (taken.some(name => name === volume['name']))
      return `podTemplate.volumes has ${JSON.stringify(volume['name'])}, a name that the engine uses itself`
  return null
}

function metadataProblem(metadata: Fields): string | null {
  for (const field of Object.keys(metadata))
    if (field !== 'labels' && field !== 'annotations')
      return `podTemplate.metadata.${field} is the engine's; labels and annotations can be given`
  for (const field of ['labels', 'annotations'])
    for (const key of Object.keys(fieldsOf(metadata[field])))
      if (isOwnKey(key)) return `podTemplate.metadata.${field} has ${key}, which is the engine's`
  return null
}

/** What an entry of `containers` for the task's own container may not say, and what says it. */
const OWN_FIELDS: Readonly<Record<string, string>> = {
  image: 'the image of the task',
  command: 'the command of the task',
  args: 'the args of the task',
  restartPolicy: 'never started again: the engine retries',
  restartPolicyRules: 'never started again: the engine retries',
}

function containerProblem(spec: AttemptSpec): string | null {
  const own = containerName(spec.task)
  const { container } = splitTemplate(spec)
  for (const [field, instead] of Object.entries(OWN_FIELDS))
    if ((container[field] ?? null) !== null)
      return `podTemplate.containers says ${field} of ${own}, the task's container: that is ${instead}`
  const path = container['terminationMessagePath'] ?? INSIDE.output
  if (path !== INSIDE.output)
    return `podTemplate.terminationMessagePath is the engine's: outputs go to ${INSIDE.output}`
  for (const { name } of listOf(container['env']).map(fieldsOf))
    if (typeof name === 'string' && name.startsWith('KONTROLER_'))
      return `podTemplate.env sets ${name}; variables that start with KONTROLER_ are the engine's`
  return mountProblem(spec, container)
}

function mountProblem(spec: AttemptSpec, container: Fields): string | null {
  const places = [
    ...listOf(container['volumeMounts']).map(mount => fieldsOf(mount)['mountPath']),
    ...listOf(container['volumeDevices']).map(device => fieldsOf(device)['devicePath']),
  ]
  for (const place of places) {
    if (typeof place !== 'string') continue
    const plain = place.replace(/\/{2,}/gu, '/').replace(/(?<=.)\/$/u, '')
    const isOwn =
      plain === INSIDE.own ||
      plain.startsWith(`${INSIDE.own}/`) ||
      plain === INSIDE.output ||
      (spec.workspace && plain === INSIDE.workspace)
    if (isOwn) return `podTemplate mounts something at ${place}, where the engine's own files are`
  }
  return null
}
