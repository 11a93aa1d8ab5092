import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import type { ApiProblem } from '../../kubernetes/problem.ts'
import type { Why } from './pending.ts'

/**
 * What the refusal of a create means: the end of the attempt, a wait for room, or null for what has nothing to do with
 * the pod (then it is tried again). An API server says most of this with one code, 403, so that words have to do.
 */
export function refusedCreate(
  problem: Pick<ApiProblem, 'kind' | 'detail'>,
):
  | { readonly kind: 'final'; readonly outcome: Outcome }
  | { readonly kind: 'wait'; readonly why: Why }
  | null {
  const { kind, detail } = problem
  const message = detail.replace(/^pods "[^"]*" is forbidden: /u, '')
  switch (kind) {
    case 'forbidden':
      if (message.includes('exceeded quota'))
        return { kind: 'wait', why: { reason: 'QUOTA_EXCEEDED', message } }
      // A token that is not let in any more, or rights that are being set up, are not the task's fault.
      if (message.includes('cannot create resource')) return null
      // Such a quota cannot say yes or no yet.
      if (message.includes('status unknown for quota')) return null
      // A namespace that was just made gets it in a moment.
      if (message.includes('serviceaccount "default" not found')) return null
      return final(CONFIG.test(message) ? 'CONFIG_ERROR' : 'POLICY_DENIED', message)
    case 'invalid':
    case 'badRequest':
    case 'tooLarge':
    case 'notFound':
      // `notFound` is the namespace. An admission webhook may deny with any code.
      return final(DENIED.test(message) ? 'POLICY_DENIED' : 'CONFIG_ERROR', message)
    default:
      return null
  }
}

/** What webhooks and policies are quoted with. */
const DENIED = /denied (?:the )?request/u

/** Refusals of the pod for what it names or lacks, rather than for what it may not do. */
const CONFIG = new RegExp(
  [
    'is being terminated',
    'error looking up service account',
    'no PriorityClass with name',
    'the integer value of priority',
    'the string value of PreemptionPolicy',
    'RuntimeClass "[^"]*" not found',
    'failed quota: .*must specify',
  ].join('|'),
  'u',
)

const final = (
  reason: ReasonCode,
  message: string,
): { readonly kind: 'final'; readonly outcome: Outcome } => ({
  kind: 'final',
  outcome: { kind: 'configError', reason, exitCode: null, signal: null, message, outputs: {} },
})
