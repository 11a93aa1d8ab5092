import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Json } from '../../core/json.ts'
import type { AttemptSpec } from '../../ports/executor.ts'
import { attempt, type TaskShape } from '../../../test/contracts/executor-harness.ts'
import { podBody, tombstone } from './body.ts'
import { KEYS, podName, refOfPod } from './names.ts'
import type { KubeObject } from '../../kubernetes/object.ts'

const SURROUNDINGS = { installation: 'here', fence: 'f1', stopGraceSeconds: 10 }

const specOf = (shape: TaskShape): AttemptSpec =>
  attempt({ image: 'busybox', workdir: '/' }, { task: 'build', ...shape })

function bodyOf(shape: TaskShape) {
  const body = podBody(specOf(shape), SURROUNDINGS) as unknown as {
    metadata: Record<string, Record<string, string>>
    spec: Record<string, Json> & { containers: Record<string, Json>[]; volumes: Json[] }
  }
  const [container = {}] = body.spec.containers
  return { ...body, container }
}
const template = (podTemplate: Json): TaskShape => ({ work: { podTemplate } })

suite('names', () => {
  test('of a pod are DNS labels, whatever the task is called, and never the same twice', () => {
    const names = ['build', 'build[3]', 'A_B', '漢', `${'x'.repeat(63)}`].map(task =>
      podName({ run: '01a2', task, attempt: 2 }),
    )
    for (const name of names) assert.match(name, /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
    assert.equal(new Set(names).size, names.length)
    assert.notEqual(
      podName({ run: 'r', task: 'a', attempt: 1 }),
      podName({ run: 'r', task: 'a', attempt: 2 }),
    )
  })

  test('a pod tells its attempt; one that only looks like ours tells none', () => {
    const body = podBody(specOf({ task: 'build[3]' }), SURROUNDINGS) as unknown as KubeObject
    assert.deepEqual(refOfPod(body, 'here'), { run: 'run-1', task: 'build[3]', attempt: 1 })
    assert.equal(refOfPod(body, 'there'), null)
    const annotations = { ...body.metadata.annotations, [KEYS.attempt]: 'run-1/other/1' }
    assert.equal(refOfPod({ ...body, metadata: { ...body.metadata, annotations } }, 'here'), null)
  })
})

suite('a pod', () => {
  test('mounts its fence, without which it never starts', () => {
    const { spec, container } = bodyOf({ sh: 'true' })
    assert.deepEqual(spec.volumes, [
      { name: 'kontroler', projected: { sources: [{ configMap: { name: 'kontroler-fence-here-f1' } }] } },
    ])
    assert.deepEqual(container['volumeMounts'], [
      { name: 'kontroler', mountPath: '/kontroler', readOnly: true },
    ])
  })

  test('is hardened, and restricted when the DAG says so', () => {
    const { spec, container } = bodyOf({ sh: 'true' })
    assert.equal(spec['automountServiceAccountToken'], false)
    assert.deepEqual(spec['securityContext'], { seccompProfile: { type: 'RuntimeDefault' } })
    assert.deepEqual(container['securityContext'], { allowPrivilegeEscalation: false })
    const pod = {
      workspaceClaim: null,
      startGuarantee: 'fence',
      evidence: 'watch',
      security: 'restricted',
    } as const
    const restricted = bodyOf({
      sh: 'true',
      pod,
      ...template({ containers: [{ name: 'proxy', image: 'p' }] }),
    })
    assert.deepEqual(restricted.spec['securityContext'], {
      seccompProfile: { type: 'RuntimeDefault' },
      runAsNonRoot: true,
    })
    for (const one of restricted.spec.containers)
      assert.deepEqual(one['securityContext'], {
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      })
  })

  test('says what the task says, byte for byte: Kubernetes would replace $(NAME) and $$', () => {
    const { container } = bodyOf({
      work: { command: ['echo', '$(HOME) $$ $x'] },
      env: [{ name: 'A', value: '$(B)' }],
    })
    assert.deepEqual(container['command'], ['echo', '$$(HOME) $$$$ $$x'])
    assert.deepEqual((container['env'] as Json[])[0], { name: 'A', value: '$$(B)' })
  })

  test('runs a script by its #! line, or by sh', () => {
    assert.deepEqual(bodyOf({ work: { script: '#!/bin/x\n' } }).container['command'], ['/kontroler/script'])
    assert.deepEqual(bodyOf({ work: { script: 'ls' } }).container['command'], [
      '/bin/sh',
      '/kontroler/script',
    ])
  })

  test('takes Secrets by reference only', () => {
    const source = { kind: 'secret', secret: { name: 'db', key: 'password' }, optional: false } as const
    const { container } = bodyOf({ sh: 'true', references: [{ name: 'PASSWORD', source }] })
    assert.deepEqual((container['env'] as Json[])[0], {
      name: 'PASSWORD',
      valueFrom: { secretKeyRef: { name: 'db', key: 'password' } },
    })
  })

  test('keeps what the engine needs, whatever a template says', () => {
    const { metadata, spec, container } = bodyOf(
      template({
        restartPolicy: 'Always',
        terminationMessagePath: '/elsewhere',
        metadata: { labels: { [KEYS.run]: 'forged', own: 'x' } },
        containers: [{ name: 'build', command: ['other'], env: [{ name: 'KONTROLER_OUTPUT', value: '/x' }] }],
      }),
    )
    assert.equal(spec['restartPolicy'], 'Never')
    assert.equal(container['terminationMessagePath'], '/dev/termination-log')
    assert.equal(metadata['labels']?.[KEYS.run], 'run-1')
    assert.equal(metadata['labels']?.['own'], 'x')
    const env = (container['env'] as { name: string; value: string }[]).filter(
      ({ name }) => name === 'KONTROLER_OUTPUT',
    )
    assert.deepEqual(env, [{ name: 'KONTROLER_OUTPUT', value: '/dev/termination-log' }])
  })

  test('has the fields of its template where Kubernetes wants them', () => {
    const { spec, container } = bodyOf(
      template({
        nodeSelector: { disk: 'ssd' },
        volumes: [{ name: 'data', emptyDir: {} }],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
        containerSecurityContext: { runAsUser: 7 },
        resources: { limits: { memory: '1Gi' } },
        initContainers: [{ name: 'setup', image: 's' }],
        someNewField: { of: 'Kubernetes' },
      }),
    )
    assert.deepEqual(spec['nodeSelector'], { disk: 'ssd' })
    assert.deepEqual(spec['someNewField'], { of: 'Kubernetes' })
    assert.equal(spec.volumes.length, 2)
    assert.equal((container['volumeMounts'] as Json[]).length, 2)
    assert.deepEqual(container['securityContext'], { allowPrivilegeEscalation: false, runAsUser: 7 })
    assert.deepEqual(container['resources'], { limits: { memory: '1Gi' } })
    assert.deepEqual(spec['initContainers'], [
      { name: 'setup', image: 's', securityContext: { allowPrivilegeEscalation: false } },
    ])
  })

  test('that only takes a name never starts', () => {
    const body = tombstone(specOf({}), SURROUNDINGS) as unknown as KubeObject & { spec: Record<string, Json> }
    assert.deepEqual(body.spec['schedulingGates'], [{ name: 'kontroler.greedykomodo/not-yet' }])
    assert.equal(body.metadata.name, podName(specOf({})))
  })
})
