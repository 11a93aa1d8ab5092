import type { Json } from '../../core/json.ts'
import type { AttemptSpec, PodSettings } from '../../ports/executor.ts'
import { type Fields, fieldsOf, listOf, merged } from './template.ts'

/** User and group that stand for "nobody in particular" in distroless and many other images. */
const NOBODY_IN_PARTICULAR = 65_532

/**
 * Security context of the pod before the template is laid over it: what ordinary images survive, and with `restricted`
 * a user that is not root, as most images name none. A template that says `runAsUser: null` keeps the image's.
 */
export function hardenedPod(level: PodSettings['security'], hasWorkspace: boolean): Fields {
  const seccompProfile = { type: 'RuntimeDefault' }
  if (level === 'hardened') return { seccompProfile }
  const user = { runAsNonRoot: true, runAsUser: NOBODY_IN_PARTICULAR, runAsGroup: NOBODY_IN_PARTICULAR }
  // A fresh claim belongs to root; by its group every task of the run may write into it.
  const group = { fsGroup: NOBODY_IN_PARTICULAR, fsGroupChangePolicy: 'OnRootMismatch' }
  return { seccompProfile, ...user, ...(hasWorkspace ? group : {}) }
}

/** The same for one container, of whatever kind. */
export function hardened(container: Fields, level: PodSettings['security']): Fields {
  const given = fieldsOf(container['securityContext'])
  const added = listOf(fieldsOf(given['capabilities'])['add'])
  const defaults: Record<string, Json> = {}
  // The API server refuses the pair: who is given the whole machine cannot be kept from more.
  if (given['privileged'] !== true && !added.includes('CAP_SYS_ADMIN'))
    defaults['allowPrivilegeEscalation'] = false
  if (level === 'restricted') defaults['capabilities'] = { drop: ['ALL'] }
  return { ...container, securityContext: merged(defaults, given) }
}

/** Windows knows none of this, and its pods are refused when they name it. */
export const isForWindows = (spec: AttemptSpec): boolean =>
  fieldsOf(fieldsOf(spec.work.podTemplate)['os'])['name'] === 'windows'
