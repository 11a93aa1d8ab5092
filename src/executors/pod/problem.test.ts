import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../core/json.ts'
import { attempt, type TaskShape } from '../../../test/contracts/executor-harness.ts'
import { podBody } from './body.ts'
import { podProblem } from './problem.ts'
import { merged } from './template.ts'

const of = (shape: TaskShape) => attempt({ workdir: '/', image: 'busybox:1.36' }, { task: 'build', ...shape })
const POD = {
  workspaceClaim: null,
  startGuarantee: 'fence',
  evidence: 'watch',
  security: 'hardened',
} as const
const told = (podTemplate: Json, shape: TaskShape = {}): string | null =>
  podProblem(of({ ...shape, work: { podTemplate } }))

test('what the engine needs for itself is refused in a sentence', () => {
  const table: readonly (readonly [template: Json, sentence: RegExp])[] = [
    [{ restartPolicy: 'OnFailure' }, /restartPolicy is "OnFailure", but only Never can be/],
    [{ ephemeralContainers: [{ name: 'debug' }] }, /ephemeralContainers cannot be given to a new pod/],
    [{ volumes: [{ name: 'kontroler', emptyDir: {} }] }, /volumes has "kontroler", a name/],
    [{ volumeMounts: [{ name: 'v', mountPath: '/kontroler' }] }, /mounts something at \/kontroler/],
    [{ volumeMounts: [{ name: 'v', mountPath: '//kontroler/script/' }] }, /mounts something at/],
    [{ volumeMounts: [{ name: 'v', mountPath: '/dev/termination-log' }] }, /mounts something at/],
    [{ volumeDevices: [{ name: 'v', devicePath: '/kontroler' }] }, /mounts something at/],
    [{ terminationMessagePath: '/tmp/end' }, /terminationMessagePath is the engine's/],
    [{ env: [{ name: 'KONTROLER_OUTPUT', value: '/x' }] }, /sets KONTROLER_OUTPUT/],
    [{ containers: [{ name: 'build', env: [{ name: 'KONTROLER_X' }] }] }, /sets KONTROLER_X/],
    [{ containers: [{ name: 'build', image: 'other' }] }, /says image of build.*the image of the task/],
    [{ containers: [{ name: 'build', command: ['x'] }] }, /says command of build/],
    [{ containers: [{ name: 'build', args: ['x'] }] }, /says args of build/],
    [{ containers: [{ name: 'build', restartPolicy: 'Always' }] }, /says restartPolicy of build/],
    [
      { containers: [{ name: 'side', restartPolicyRules: [{ action: 'RestartAllContainers' }] }] },
      /asks for RestartAllContainers/,
    ],
    [{ metadata: { name: 'mine' } }, /metadata\.name is the engine's/],
    [{ metadata: { finalizers: ['a/b'] } }, /metadata\.finalizers is the engine's/],
    [{ metadata: { labels: { 'kontroler.greedykomodo/run': 'x' } } }, /metadata\.labels has kontroler/],
    [{ metadata: { annotations: { 'kontroler.greedykomodo/x': 'x' } } }, /metadata\.annotations has/],
  ]
  for (const [template, sentence] of table) {
    assert.match(told(template) ?? '', sentence)
    assert.doesNotMatch(told(template) ?? '', /\.$/)
  }
})

test('places and names of the workspace are the engine’s only where there is one', () => {
  const template = {
    volumes: [{ name: 'workspace', emptyDir: {} }],
    volumeMounts: [{ name: 'workspace', mountPath: '/workspace' }],
  }
  assert.equal(told(template), null)
  assert.match(told(template, { workspace: true }) ?? '', /volumes has "workspace"/)
  const other = { volumes: [{ name: 'v' }], volumeMounts: [{ name: 'v', mountPath: '/workspace' }] }
  assert.match(told(other, { workspace: true }) ?? '', /mounts something at \/workspace/)
  const below = { volumes: [{ name: 'v' }], volumeMounts: [{ name: 'v', mountPath: '/workspace/cache' }] }
  assert.equal(told(below, { workspace: true }), null)
})

test('strict needs the scheduler, a pod an image, and a script has to fit', () => {
  const strict = { pod: { ...POD, startGuarantee: 'strict' } } as const
  assert.match(told({ nodeName: 'node-1' }, strict) ?? '', /nodeName goes around the scheduler/)
  assert.equal(told({ nodeName: 'node-1' }), null)
  assert.match(podProblem(of({ work: { image: null } })) ?? '', /no image/)
  assert.match(podProblem(of({ work: { script: 'é'.repeat(600_000) } })) ?? '', /larger than 1 MiB/)
})

test('a template cannot take away what the engine needs', () => {
  const away = { volumes: null, schedulingGates: null, env: null, volumeMounts: null, restartPolicy: null }
  const given = of({ work: { podTemplate: away }, pod: { ...POD, startGuarantee: 'strict' } })
  const without = { ...given, work: { ...given.work, podTemplate: null } }
  const around = { installation: 'main', fence: '7', stopGraceSeconds: 10 }
  assert.equal(podProblem(given), null)
  assert.deepEqual(podBody(given, around), podBody(without, around))
})

test('maps are merged by key, lists with names by name, the rest is replaced, null takes away', () => {
  const under = { a: { b: 1, c: 2 }, env: [{ name: 'A', value: '1' }, { name: 'B' }], list: [1, 2], gone: 1 }
  const over = { a: { c: 3 }, env: [{ name: 'C' }, { name: 'A', value: '2' }], list: [3], gone: null }
  assert.deepEqual(merged(under, over), {
    a: { b: 1, c: 3 },
    env: [{ name: 'A', value: '2' }, { name: 'B' }, { name: 'C' }],
    list: [3],
  })
})
