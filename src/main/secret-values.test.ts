import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Client } from '../kubernetes/client.ts'
import { systemClock } from '../host/clock.ts'
import { secretValues } from './secret-values.ts'

type Get = Client['get']

/** A client that has one Secret, and counts how often it is asked. */
function clientWith(data: Readonly<Record<string, string>>): { client: { get: Get }; asked: () => number } {
  let asked = 0
  const get = (async () => {
    asked += 1
    await Promise.resolve()
    return { metadata: {}, data }
  }) as unknown as Get
  return { client: { get }, asked: () => asked }
}

test('a key of a Secret is read; one that is not there is null, whatever it is called', async () => {
  const { client } = clientWith({ secret: Buffer.from('sesame').toString('base64') })
  const values = secretValues(client, systemClock)
  assert.equal(await values.secret('a', { name: 'hook', key: 'secret' }), 'sesame')
  assert.equal(await values.secret('a', { name: 'hook', key: 'other' }), null)
  assert.equal(await values.secret('a', { name: 'hook', key: 'constructor' }), null)
})

test('what is asked for at once, or a moment later, is one request; later it is read anew', async () => {
  const { client, asked } = clientWith({})
  let passed = 0
  const values = secretValues(client, { ...systemClock, now: () => 1_000 + passed })
  const read = () => values.secret('a', { name: 'hook', key: 'secret' })
  await Promise.all([read(), read(), read()])
  assert.equal(asked(), 1)
  passed = 6_000
  await read()
  assert.equal(asked(), 2)
})

test('a refusal is told, and not kept', async () => {
  let allowed = false
  const get = (async () => {
    await Promise.resolve()
    if (!allowed) throw new Error('forbidden')
    return { metadata: {}, data: {} }
  }) as unknown as Get
  const values = secretValues({ get }, systemClock)
  await assert.rejects(values.secret('a', { name: 'hook', key: 'secret' }), /forbidden/)
  allowed = true
  assert.equal(await values.secret('a', { name: 'hook', key: 'secret' }), null)
})
