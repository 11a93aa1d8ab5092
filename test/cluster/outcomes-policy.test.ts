/** What a cluster refuses to let in: for good, or until there is room. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Client } from '../../src/kubernetes/client.ts'
import type { Resource } from '../../src/kubernetes/resource.ts'
import { type OutcomeHouse, outcomeHouse, said } from './outcome-house.ts'
import type { Kubernetes } from './kubernetes.ts'
import { eventually } from './parts.ts'
import { clientOf, fullCluster } from './shared.ts'

const id = randomBytes(4).toString('hex')
const LIMITED = { 'kontroler.test/limited': id }
const DENIED = { 'kontroler.test/denied': id }
const POLICY = `kontroler-test-${id}`

const QUOTAS: Resource = {
  group: '',
  version: 'v1',
  plural: 'resourcequotas',
  kind: 'ResourceQuota',
  namespaced: true,
}

const policy = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicy',
  metadata: { name: POLICY },
  spec: {
    failurePolicy: 'Fail',
    matchConstraints: {
      namespaceSelector: { matchLabels: DENIED },
      resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
    },
    validations: [{ expression: 'has(object.metadata.labels.team)', message: 'every pod names its team' }],
  },
}
const binding = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: { name: POLICY },
  spec: { policyName: POLICY, validationActions: ['Deny'] },
}

describe('what a cluster does not let in', { timeout: 180_000 }, () => {
  let cluster: Kubernetes
  let client: Client
  const houses: OutcomeHouse[] = []
  const build = async (labels: Record<string, string> = {}): Promise<OutcomeHouse> => {
    const house = await outcomeHouse(client, { labels })
    houses.push(house)
    return house
  }
  before(async () => {
    cluster = await fullCluster()
    client = clientOf(cluster)
  })
  after(async () => {
    await Promise.all(houses.map(house => house.close()))
    for (const kind of ['ValidatingAdmissionPolicyBinding', 'ValidatingAdmissionPolicy'])
      cluster.kubectl('delete', kind, POLICY, '--ignore-not-found')
    await client.close()
  })

  test('a full ResourceQuota is waited for, and the pod starts when room comes', async () => {
    const house = await build()
    const engine = house.open()
    const { namespace } = house.place
    const quota = { metadata: { name: 'pods' }, spec: { hard: { pods: '0' } } }
    await client.create(QUOTAS, namespace, quota)
    await eventually('the quota is known', () =>
      cluster
        .kubectl('get', 'quota', 'pods', '-n', namespace, '-o', 'jsonpath={.status.hard}')
        .includes('pods'),
    )
    const [waiting, stopped] = [house.task({ sh: 'exit 4' }), house.task({ sh: 'true' })]
    engine.executor.start(waiting)
    engine.executor.start(stopped)
    await house.waits(engine, waiting, 'QUOTA_EXCEEDED', /exceeded quota: pods/u)
    await house.waits(engine, stopped, 'QUOTA_EXCEEDED', /exceeded quota: pods/u)
    // Nobody waits for room in order to end.
    engine.executor.stop(stopped, 0)
    const outcome = await engine.ended(stopped)
    assert.equal(outcome.kind, 'cancelled')
    assert.match(outcome.message ?? '', /exceeded quota/u)
    await client.mergePatch(QUOTAS, { namespace, name: 'pods' }, { spec: { hard: { pods: '5' } } })
    assert.equal(said(await engine.ended(waiting)), 'exitCode EXIT_CODE 4')
  })

  test('a pod beyond a LimitRange → configError POLICY_DENIED', async () => {
    const house = await build(LIMITED)
    cluster.apply({
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'small', namespace: house.place.namespace },
      spec: { limits: [{ type: 'Container', max: { memory: '64Mi' } }] },
    })
    const spec = house.task({ sh: 'true', work: { resources: { limits: { memory: '128Mi' } } } })
    const outcome = await house.open().run(spec)
    assert.equal(said(outcome), 'configError POLICY_DENIED null')
    assert.match(outcome.message ?? '', /maximum memory usage per Container is 64Mi/u)
  })

  test('Pod Security restricted refuses the hardened default, and lets a restricted pod run', async () => {
    const house = await build({ 'pod-security.kubernetes.io/enforce': 'restricted' })
    const engine = house.open()
    const outcome = await engine.run(house.task({ sh: 'true' }))
    assert.equal(said(outcome), 'configError POLICY_DENIED null')
    assert.match(outcome.message ?? '', /violates PodSecurity "restricted/u)
    const pod = { ...house.task({}).pod, security: 'restricted' } as const
    assert.equal(said(await engine.run(house.task({ sh: 'true', pod }))), 'succeeded SUCCEEDED 0')
    // What only takes a name is let in, too.
    const unwanted = house.task({ sh: 'true', pod })
    engine.executor.stop(unwanted, 0)
    assert.equal((await engine.ended(unwanted)).kind, 'cancelled')
  })

  test('a ValidatingAdmissionPolicy → configError POLICY_DENIED, with its own words', async () => {
    cluster.apply(policy, binding)
    const house = await build(DENIED)
    const engine = house.open()
    const tries: string[] = []
    // A policy takes a moment to be in force.
    await eventually(
      'the policy is in force',
      async () => {
        const outcome = await engine.run(house.task({ sh: 'true' }))
        tries.push(`${said(outcome)}: ${outcome.message}`)
        return outcome.kind !== 'succeeded'
      },
      () => tries.join('\n'),
    )
    assert.match(tries.at(-1) ?? '', /configError POLICY_DENIED null: .*every pod names its team/u)
    const podTemplate = { metadata: { labels: { team: 'data' } } }
    assert.equal(
      said(await engine.run(house.task({ sh: 'true', work: { podTemplate } }))),
      'succeeded SUCCEEDED 0',
    )
  })
})
