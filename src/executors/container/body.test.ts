import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attempt } from '../../../test/contracts/executor-harness.ts'
import { type AttemptFiles, createBody, imageName, type Surroundings } from './body.ts'
import { registryOf } from './image.ts'
import { containerName } from './names.ts'
import { readTemplate } from './pod-template.ts'
import { parseQuantity } from './quantity.ts'

const files: AttemptFiles = {
  script: null,
  outputs: '/s/output',
  workspace: null,
  engineLog: '/s/log',
  volumes: '/s/v',
}
const surroundings: Surroundings = {
  state: 'state',
  dialect: 'docker',
  network: null,
  init: true,
  labelled: false,
  limits: [],
}
const place = { workdir: '/', image: 'busybox' }
const bodyOf = (shape: Parameters<typeof attempt>[1], more: Partial<AttemptFiles> = {}) => {
  const spec = attempt(place, shape)
  return createBody(spec, readTemplate(spec.work).settings, { ...files, ...more }, surroundings)
}

test('command takes the place of the entry point, args that of its arguments; neither leaves the image’s', () => {
  const both = bodyOf({ work: { command: ['a', 'b'], args: ['c'] } })
  assert.deepEqual([both['Entrypoint'], both['Cmd']], [['a', 'b'], ['c']])
  const args = bodyOf({ work: { args: ['c'] } })
  assert.deepEqual([args['Entrypoint'], args['Cmd']], [undefined, ['c']])
  const none = bodyOf({})
  assert.deepEqual([none['Entrypoint'], none['Cmd']], [undefined, undefined])
})

test('a script is mounted read-only and run by its #! line or by sh', () => {
  const script = { script: '/s/script' }
  assert.deepEqual(bodyOf({ work: { script: 'echo' } }, script)['Entrypoint'], [
    '/bin/sh',
    '/kontroler/script',
  ])
  const own = bodyOf({ work: { script: '#!/bin/awk -f\n', args: ['x'] } }, script)
  assert.deepEqual([own['Entrypoint'], own['Cmd']], [['/kontroler/script'], ['x']])
  const { Mounts } = own['HostConfig'] as { Mounts: readonly { Target: string; ReadOnly: boolean }[] }
  assert.equal(Mounts.find(({ Target }) => Target === '/kontroler/script')?.ReadOnly, true)
})

test('values of variables are in Env and nowhere else', () => {
  const env = [
    { name: 'A', value: 's3cret' },
    { name: 'A', value: 's3cret\n2' },
  ]
  const { Env, ...rest } = bodyOf({ env, secretNames: ['A'], sh: 'true' })
  assert.deepEqual(
    (Env as string[]).filter(line => line.startsWith('A=')),
    ['A=s3cret\n2'],
  )
  assert.doesNotMatch(JSON.stringify(rest), /s3cret/)
})

test('limits, security and defaults', () => {
  const { HostConfig } = bodyOf({
    work: {
      resources: { limits: { memory: '64Mi', cpu: '250m' } },
      podTemplate: { resources: { limits: { memory: '1Gi' } }, securityContext: { runAsUser: 7 } },
    },
  }) as { HostConfig: Record<string, unknown> }
  assert.deepEqual(
    [HostConfig['Memory'], HostConfig['MemorySwap'], HostConfig['NanoCpus']],
    [2 ** 26, 2 ** 26, 25e7],
  )
  assert.deepEqual(
    [HostConfig['SecurityOpt'], HostConfig['Init'], HostConfig['AutoRemove']],
    [['no-new-privileges'], true, false],
  )
})

test('what cannot be meant is a problem', () => {
  const problem = (podTemplate: Parameters<typeof attempt>[1]) =>
    readTemplate(attempt(place, podTemplate).work).problem
  assert.match(
    problem({ work: { podTemplate: { volumeMounts: [{ name: 'x', mountPath: '/x' }] } } }) ?? '',
    /"x"/,
  )
  const volumes = [{ name: 'x', hostPath: { path: '/tmp' } }]
  const mount = { name: 'x', mountPath: '/x', subPath: '../etc' }
  assert.match(problem({ work: { podTemplate: { volumes, volumeMounts: [mount] } } }) ?? '', /leads out/)
  assert.match(
    problem({ work: { podTemplate: { securityContext: { runAsNonRoot: true, runAsUser: 0 } } } }) ?? '',
    /runAsNonRoot/,
  )
})

test('names of containers are short, tell attempts apart and are made of what is allowed', () => {
  const ref = { run: 'r', task: `Ü${'x'.repeat(90)}[3]`, attempt: 12 }
  const name = containerName('s', ref)
  assert.match(name, /^kontroler-[a-z0-9-]{1,53}$/)
  for (const other of [
    { ...ref, run: 'q' },
    { ...ref, task: `${ref.task}x` },
    { ...ref, attempt: 1 },
  ])
    assert.notEqual(containerName('s', other), name)
  assert.notEqual(containerName('t', ref), name)
})

test('names of images are completed, registries are told from paths', () => {
  const names = ['busybox', 'a/b', 'localhost:5000/a', 'a:1', 'a@sha256:0', 'h:1/a:2']
  assert.deepEqual(names.map(imageName), [
    'busybox:latest',
    'a/b:latest',
    'localhost:5000/a:latest',
    'a:1',
    'a@sha256:0',
    'h:1/a:2',
  ])
  assert.deepEqual(['busybox', 'a/b', 'localhost/a', 'h:1/a', 'ghcr.io/a/b'].map(registryOf), [
    'docker.io',
    'docker.io',
    'localhost',
    'h:1',
    'ghcr.io',
  ])
})

test('quantities are read as Kubernetes writes them', () => {
  const read = ['1', '250m', '1.5', '64Mi', '1k', '2G', '1e3', '1Ei', 4, '', 'x', '1Q', '1 Mi'].map(
    parseQuantity,
  )
  assert.deepEqual(read, [1, 0.25, 1.5, 2 ** 26, 1000, 2e9, 1000, 2 ** 60, 4, null, null, null, null])
})
