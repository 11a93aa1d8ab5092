import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProblemKind } from '../../kubernetes/problem.ts'
import { refusedCreate } from './refused.ts'

/** Sentences of a real API server, 1.36. */
const FORBIDDEN: readonly (readonly [detail: string, code: string])[] = [
  [
    'pods "a-1-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2',
    'wait QUOTA_EXCEEDED',
  ],
  [
    'pods "a-1-x" is forbidden: failed quota: small: must specify limits.memory for: build',
    'final CONFIG_ERROR',
  ],
  ['pods "a-1-x" is forbidden: status unknown for quota: small, resources: pods', 'again'],
  [
    'pods "a-1-x" is forbidden: error looking up service account n/default: serviceaccount "default" not found',
    'again',
  ],
  [
    'pods "a-1-x" is forbidden: violates PodSecurity "restricted:latest": privileged (container "build" must not set securityContext.privileged=true)',
    'final POLICY_DENIED',
  ],
  [
    'pods "a-1-x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
    'final POLICY_DENIED',
  ],
  [
    "pods \"a-1-x\" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied request: no latest",
    'final POLICY_DENIED',
  ],
  [
    'pods "a-1-x" is forbidden: error looking up service account default/builder: serviceaccount "builder" not found',
    'final CONFIG_ERROR',
  ],
  ['pods "a-1-x" is forbidden: no PriorityClass with name batch was found', 'final CONFIG_ERROR'],
  ['pods "a-1-x" is forbidden: pod rejected: RuntimeClass "gvisor" not found', 'final CONFIG_ERROR'],
  [
    'pods "a-1-x" is forbidden: unable to create new content in namespace team because it is being terminated',
    'final CONFIG_ERROR',
  ],
  [
    'pods is forbidden: User "system:serviceaccount:kontroler:controller" cannot create resource "pods" in API group "" in the namespace "team"',
    'again',
  ],
]

const said = (kind: ProblemKind, detail: string): string => {
  const refused = refusedCreate({ kind, detail })
  if (refused === null) return 'again'
  return `${refused.kind} ${refused.kind === 'wait' ? refused.why.reason : refused.outcome.reason}`
}

test('a refusal is a wait for room, the end, or nothing to do with the pod', () => {
  for (const [detail, code] of FORBIDDEN) assert.equal(said('forbidden', detail), code, detail)
})

test('what the server does not take is the task’s, what a webhook denies is a policy', () => {
  assert.equal(
    said('invalid', 'Pod "a-1-x" is invalid: spec.volumes[1].name: Duplicate value: "v"'),
    'final CONFIG_ERROR',
  )
  assert.equal(said('tooLarge', 'Request entity too large: limit is 3145728'), 'final CONFIG_ERROR')
  assert.equal(said('notFound', 'namespaces "team" not found'), 'final CONFIG_ERROR')
  const denied = 'admission webhook "policy.example.com" denied the request: no latest'
  for (const kind of ['badRequest', 'forbidden', 'invalid'] as const)
    assert.equal(said(kind, denied), 'final POLICY_DENIED')
  // A ValidatingAdmissionPolicy leaves "the" out, and has a code of its own choice.
  const policy = "ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied request: no latest"
  assert.equal(said('invalid', policy), 'final POLICY_DENIED')
})

test('a server that is not well says nothing about the pod', () => {
  for (const kind of [
    'internal',
    'unavailable',
    'timeout',
    'tooManyRequests',
    'unreachable',
    'unauthorized',
  ] as const)
    assert.equal(said(kind, 'failed calling webhook "policy.example.com": connection refused'), 'again')
})

test('the sentence starts with what is wrong', () => {
  const refused = refusedCreate({
    kind: 'forbidden',
    detail: 'pods "a-1-x" is forbidden: exceeded quota: small',
  })
  assert.ok(refused?.kind === 'wait')
  assert.equal(refused.why.message, 'exceeded quota: small')
})
