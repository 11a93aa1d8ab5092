import type { Json } from '../../core/json.ts'
import type { PodSettings } from '../../ports/executor.ts'
import { type Fields, fieldsOf, merged } from './template.ts'

/**
 * Defaults that ordinary images survive, and with `restricted` those that the Pod Security standard of that name asks
 * for. A template that says otherwise is heard: whether that may be is for the cluster's own admission to say.
 */
export const hardenedPod = (level: PodSettings['security']): Fields => ({
  seccompProfile: { type: 'RuntimeDefault' },
  ...(level === 'restricted' ? { runAsNonRoot: true } : {}),
})

/** The same for one container, of whatever kind. */
export function hardened(container: Fields, level: PodSettings['security']): Fields {
  const given = fieldsOf(container['securityContext'])
  const defaults: Record<string, Json> = {}
  // A privileged container cannot do without; the API server would refuse the pair.
  if (given['privileged'] !== true) defaults['allowPrivilegeEscalation'] = false
  if (level === 'restricted') defaults['capabilities'] = { drop: ['ALL'] }
  return { ...container, securityContext: merged(defaults, given) }
}
