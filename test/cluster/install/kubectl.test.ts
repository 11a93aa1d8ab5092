import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { PASSWORD, ROLE } from '../../contracts/postgres/server.ts'
import type { Values } from '../../chart/helm.ts'
import { NEEDS_OWN } from '../shared.ts'
import { houseOf, until } from './house.ts'
import { type Servers, startServers } from './postgres-and-s3.ts'
import { listOf } from './programs.ts'
import { examplesGo, examplesRun, examplesTell, leftOver } from './scenes.ts'

describe('applied by kubectl, with PostgreSQL and S3', { skip: NEEDS_OWN, timeout: 600_000 }, () => {
  const house = houseOf('kubectl')
  let servers: Servers
  let bundle = ''
  before(async () => {
    servers = await startServers()
  })
  after(async () => await servers.close())

  test('what helm makes of the chart is all that is needed, beside Secrets', async () => {
    const { kubectl, helm, chart, own, ready, asked } = house()
    const { accessKeyId, secretAccessKey, endpoint } = servers.s3
    const secret = (name: string, stringData: object): object => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      stringData,
    })
    await kubectl(
      ['apply', '-n', own, '-f', '-'],
      listOf(secret('database', { password: PASSWORD }), secret('s3', { accessKeyId, secretAccessKey })),
    )
    const { host, postgres, bucket } = servers
    const values: Values = {
      database: {
        type: 'postgresql',
        postgresql: {
          host,
          port: postgres.port,
          database: ROLE,
          user: ROLE,
          sslMode: 'disable',
          passwordSecret: { name: 'database' },
        },
      },
      logs: { type: 's3', s3: { bucket, endpoint, region: 'us-east-1', credentialsSecret: { name: 's3' } } },
    }
    bundle = await helm(['template', ...chart(values)])
    await kubectl(['apply', '--server-side', '-f', '-'], bundle)
    await ready()
    assert.match(await asked('readyz'), /"status":"ok"/)
    assert.equal(await kubectl(['get', 'pvc', '-n', own, '-o', 'name']), '')
  })

  test('each example ends as on a laptop', async () => await examplesRun(house()))
  test('logs and Events say what happened', async () => await examplesTell(house()))

  test('its state is in the database', async () => {
    const sql = `SELECT count(*)::int AS runs FROM kontroler.run`
    const [row] = await servers.postgres.admin(sql, ROLE)
    assert.ok(Number(row?.['runs']) > 20, JSON.stringify(row))
  })

  test('its logs are in the bucket', async () => {
    const selector = 'kontroler.greedykomodo/run-name=hello,kontroler.greedykomodo/task=greet'
    const path = 'jsonpath={.items[0].metadata.labels.kontroler\\.greedykomodo/run}'
    const run = await house().kubectl(['get', 'pods', '-n', house().team, '-l', selector, '-o', path])
    const isGreeting = (key: string): boolean => key.startsWith('kontroler/') && key.includes(run)
    await until(async () => (await servers.keys()).filter(isGreeting).length >= 4)
    const said = await Promise.all((await servers.keys()).filter(isGreeting).map(key => servers.object(key)))
    assert.ok(said.includes('hello, world\n'), said.join('\n'))
  })

  test('what was applied is deleted, and nothing is left over', async () => {
    const { kubectl, own } = house()
    await examplesGo(house())
    const [, ...namespaced] = bundle.split(/^---$/mu)
    const objects = namespaced.filter(text => !/^kind: CustomResourceDefinition$/mu.test(text)).join('---')
    await kubectl(['delete', '-f', '-', '--timeout=60s'], objects)
    await kubectl(['delete', 'secret', 'database', 's3', '-n', own])
    await kubectl(['wait', '-n', own, '--for=delete', 'pod', '--all', '--timeout=60s'])
    // Pods that have ended, and what they mount, are removed as the page says; the other test does so.
    assert.deepEqual(await leftOver(house(), '!kontroler.greedykomodo/installation'), [])
  })
})
