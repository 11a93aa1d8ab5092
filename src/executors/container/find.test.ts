import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findEngine, socketsOf } from './find.ts'

const places = { dockerHost: null, containerHost: null, home: '/home/a', runtimeDir: '/run/user/1' }

test('engines of the machine and of the user are looked for', () => {
  assert.deepEqual(socketsOf('docker', places), [
    '/var/run/docker.sock',
    '/run/user/1/docker.sock',
    '/home/a/.docker/run/docker.sock',
  ])
  assert.deepEqual(socketsOf('podman', places), ['/run/user/1/podman/podman.sock', '/run/podman/podman.sock'])
})

test('a place that somebody named is the only one', async () => {
  const named = { ...places, dockerHost: 'unix:///no/such.sock', containerHost: 'ssh://host/run/podman.sock' }
  assert.deepEqual(await findEngine('docker', named), { ok: false, tried: ['/no/such.sock'] })
  assert.deepEqual(await findEngine('podman', named), {
    ok: false,
    tried: ['ssh://host/run/podman.sock (only Unix sockets of this machine)'],
  })
})
