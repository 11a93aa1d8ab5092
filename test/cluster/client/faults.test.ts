import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Client } from '../../../src/kubernetes/client.ts'
import { inClusterIdentity } from '../../../src/kubernetes/in-cluster.ts'
import { kubeconfigIdentity } from '../../../src/kubernetes/kubeconfig.ts'
import { openClient } from '../../../src/kubernetes/open-client.ts'
import { isProblem } from '../../../src/kubernetes/problem.ts'
import {
  CONFIG_MAPS,
  NAMESPACES,
  type Resource,
  SECRETS,
  SERVICE_ACCOUNTS,
} from '../../../src/kubernetes/resource.ts'
import { type Authority, authority, selfSigned } from '../../contracts/postgres/certificates.ts'
import { configMap, eventually, existing, fixedIdentity, problemOf, startPlace } from './place.ts'
import { startWire } from './wire.ts'

let clients: Authority | undefined
const place = await startPlace(home => {
  clients = authority(home, 'clients')
  return ['--client-ca-file', clients.certificate]
})
const { client, folder, space } = place

const rbac = (plural: string, kind: string, namespaced: boolean): Resource => ({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural,
  kind,
  namespaced,
})

async function mayEverything(name: string, subject: object): Promise<void> {
  await client.create(rbac('clusterrolebindings', 'ClusterRoleBinding', false), undefined, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [subject],
  })
}

/** A line stands, and nobody uses it. */
async function lineTo(through: Client): Promise<void> {
  await through.list(NAMESPACES)
  await new Promise(resolve => setTimeout(resolve, 20))
}

describe('a line that takes everything and passes nothing', () => {
  it('does not hold up what reads: it is asked again on another line', async () => {
    await using wire = await startWire(place.port)
    await using through = openClient({ identity: place.identity('admin', wire.url) })
    await lineTo(through)
    wire.set('hole')
    const asked = through.get(NAMESPACES, { name: 'default' }, { attemptMs: 300 })
    setTimeout(() => wire.set('open'), 500)
    assert.equal((await asked).metadata.name, 'default')
  })

  it('leaves a create unknown, and the next create of that name makes it', async () => {
    const namespace = await space()
    await using wire = await startWire(place.port)
    await using through = openClient({ identity: place.identity('admin', wire.url) })
    await lineTo(through)
    wire.set('hole')
    const lost = await problemOf(
      through.createBrief(CONFIG_MAPS, namespace, configMap('x'), { deadlineMs: 300 }),
    )
    assert.deepEqual([lost.kind, lost.effect], ['timeout', 'unknown'])
    wire.set('open')
    assert.equal((await through.createBrief(CONFIG_MAPS, namespace, configMap('x'))).name, 'x')
  })
})

describe('a create whose answer is lost', () => {
  it('is unknown, and the next create of that name is alreadyExists', async () => {
    const namespace = await space()
    await using wire = await startWire(place.port)
    await using through = openClient({ identity: place.identity('admin', wire.url) })
    await lineTo(through)
    wire.set('deaf')
    const lost = problemOf(through.createBrief(CONFIG_MAPS, namespace, configMap('x')))
    await eventually('the object is there', async () => (await existing(client, namespace)).size > 0)
    wire.set('cut')
    const { kind, effect } = await lost
    assert.deepEqual([kind, effect], ['unreachable', 'unknown'])
    wire.set('open')
    const again = await problemOf(through.createBrief(CONFIG_MAPS, namespace, configMap('x')))
    assert.equal(again.kind, 'alreadyExists')
  })
})

describe('lines that a load balancer ends while they are idle', () => {
  it('are not noticed', async () => {
    const namespace = await space()
    await using wire = await startWire(place.port)
    await using through = openClient({ identity: place.identity('admin', wire.url) })
    for (let round = 0; round < 20; round += 1) {
      await through.createBrief(CONFIG_MAPS, namespace, configMap(`x-${round}`))
      wire.finish()
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    assert.ok(wire.lines() > 10)
  })
})

describe('a server that starts again', () => {
  /** Down, and what is left of its lines is gone. */
  async function whileDown(use: () => Promise<void>): Promise<void> {
    await place.stop()
    try {
      await new Promise(resolve => setTimeout(resolve, 50))
      await use()
    } finally {
      await place.start()
    }
  }

  it('is waited for by what reads', async () => {
    let asked: Promise<{ items: readonly unknown[] }> | undefined
    await whileDown(() => {
      asked = client.list(NAMESPACES)
      return Promise.resolve()
    })
    assert.ok(((await asked)?.items.length ?? 0) > 0)
  })

  it('is not there for a create, which has no effect then', () =>
    whileDown(async () => {
      const problem = await problemOf(
        client.createBrief(CONFIG_MAPS, 'default', configMap('x'), { deadlineMs: 300 }),
      )
      assert.deepEqual([problem.kind, problem.effect], ['unreachable', 'none'])
    }))
})

describe('a server that is not the one', () => {
  const other = readFileSync(selfSigned(folder, 'other', []).certificate, 'utf8')
  for (const [name, wrong] of [
    ['because another authority vouches for it', { ca: other }],
    ['because the system knows nothing of its authority', { ca: null }],
    ['because it has another name', { serverName: 'other.example' }],
  ] as const) {
    it(name, async () => {
      const { tls } = await place.identity().access()
      const access = { authorization: 'Bearer secret', headers: {}, tls: { ...tls, ...wrong } }
      await using stranger = openClient({
        identity: {
          server: place.url,
          namespace: 'a',
          access: () => Promise.resolve(access),
          refresh: () => Promise.resolve(),
        },
      })
      const problem = await problemOf(stranger.create(CONFIG_MAPS, 'default', configMap('x')))
      assert.deepEqual([problem.kind, problem.effect], ['untrusted', 'none'])
    })
  }
})

describe('tokens', () => {
  it('that are wrong are told as that, at once', async () => {
    await using nobody = openClient({ identity: fixedIdentity(place.url, place.ca, 'wrong') })
    const problem = await problemOf(nobody.create(CONFIG_MAPS, 'default', configMap('x')))
    assert.deepEqual([problem.kind, problem.effect], ['unauthorized', 'none'])
  })

  it('of a service account that were replaced in their file are taken up by the request that was refused', async () => {
    const namespace = await space()
    await client.create(SERVICE_ACCOUNTS, namespace, { metadata: { name: 'robot' } })
    await mayEverything('robot', { kind: 'ServiceAccount', name: 'robot', namespace })
    /** Such a token dies with the Secret that it is bound to. */
    const tokenFor = async (secret: string): Promise<string> => {
      const { metadata } = await client.create(SECRETS, namespace, { metadata: { name: secret } })
      const answer = await client.raw('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/robot/token`, {
        spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: secret, uid: metadata.uid } },
      })
      return (answer as { status: { token: string } }).status.token
    }
    const pod = join(folder, 'pod')
    await mkdir(pod)
    await writeFile(join(pod, 'token'), await tokenFor('first'))
    await writeFile(join(pod, 'ca.crt'), place.ca)
    await writeFile(join(pod, 'namespace'), namespace)
    await using robot = openClient({
      identity: await inClusterIdentity({ host: '127.0.0.1', port: String(place.port), folder: pod }),
    })
    await robot.create(CONFIG_MAPS, namespace, configMap('x-1'))
    await client.remove(SECRETS, { namespace, name: 'first' })
    // The server remembers for some seconds that a token was good.
    await eventually('the old token is refused', async () => {
      const asked = await robot.list(CONFIG_MAPS, { namespace }).catch((error: unknown) => error)
      return isProblem(asked, 'unauthorized')
    })
    await writeFile(join(pod, 'token'), await tokenFor('second'))
    await robot.create(CONFIG_MAPS, namespace, configMap('x-2'))
  })
})

describe('a kubeconfig', () => {
  const config = async (user: object, cluster: object = {}): Promise<string> => {
    const file = join(folder, `config-${Math.random()}`)
    const entry = { server: place.url, 'certificate-authority-data': btoa(place.ca), ...cluster }
    await writeFile(
      file,
      JSON.stringify({
        'current-context': 'c',
        clusters: [{ name: 'c', cluster: entry }],
        users: [{ name: 'c', user }],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'c' } }],
      }),
    )
    return file
  }
  const whoAmI = async (file: string): Promise<string> => {
    const plugins = { env: process.env, interactive: false }
    const identity = await kubeconfigIdentity({ files: [file], missing: 'isError', plugins })
    await using someone = openClient({ identity })
    const review = await someone.raw('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {})
    return (review as { status: { userInfo: { username: string } } }).status.userInfo.username
  }

  it('with a token lets us in', async () =>
    assert.equal(await whoAmI(await config({ token: 'alice-token' })), 'alice'))

  it('with a client certificate lets us in', async () => {
    const { certificate, key } = clients?.sign('bob', 'DNS:bob') ?? assert.fail()
    assert.equal(await whoAmI(await config({ 'client-certificate': certificate, 'client-key': key })), 'bob')
  })

  it('with a plugin lets us in', async () => {
    const status = { token: 'alice-token' }
    const credential = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status }
    const exec = { apiVersion: credential.apiVersion, command: 'echo', args: [JSON.stringify(credential)] }
    assert.equal(await whoAmI(await config({ exec })), 'alice')
  })

  it('with impersonation makes us another', async () =>
    assert.equal(
      await whoAmI(await config({ token: 'admin-token', as: 'carol', 'as-groups': ['a', 'b'] })),
      'carol',
    ))

  it('with a proxy goes through it', async () => {
    const asked: string[] = []
    const proxy = createServer()
    proxy.on('connect', (request, socket, head) => {
      asked.push(request.url ?? '')
      const line = connect(place.port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        line.write(head)
        line.pipe(socket).pipe(line)
      })
      line.on('error', () => socket.destroy())
      socket.on('error', () => line.destroy())
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const address = proxy.address()
    assert.ok(address !== null && typeof address !== 'string')
    try {
      const file = await config({ token: 'alice-token' }, { 'proxy-url': `http://127.0.0.1:${address.port}` })
      assert.equal(await whoAmI(file), 'alice')
      assert.deepEqual(asked, [`127.0.0.1:${place.port}`])
    } finally {
      proxy.close()
    }
  })
})

describe('a server that throttles', () => {
  const flow = (plural: string, kind: string): Resource => ({
    group: 'flowcontrol.apiserver.k8s.io',
    version: 'v1',
    plural,
    kind,
    namespaced: false,
  })

  it('is not a failure: every create gets through, and we ask for less at a time', async () => {
    const namespace = await space()
    await mayEverything('alice', { kind: 'User', name: 'alice', apiGroup: 'rbac.authorization.k8s.io' })
    await client.create(flow('prioritylevelconfigurations', 'PriorityLevelConfiguration'), undefined, {
      metadata: { name: 'narrow' },
      spec: {
        type: 'Limited',
        limited: {
          nominalConcurrencyShares: 1,
          lendablePercent: 0,
          borrowingLimitPercent: 0,
          limitResponse: { type: 'Reject' },
        },
      },
    })
    await client.create(flow('flowschemas', 'FlowSchema'), undefined, {
      metadata: { name: 'narrow' },
      spec: {
        priorityLevelConfiguration: { name: 'narrow' },
        matchingPrecedence: 100,
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'alice' } }],
            resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] }],
          },
        ],
      },
    })
    await using alice = openClient({ identity: place.identity('alice') })
    await eventually('alice is throttled', async () => {
      const asked = Array.from({ length: 32 }, () =>
        alice.raw('GET', `/api/v1/namespaces/${namespace}/configmaps`, undefined, { repeat: 'never' }),
      )
      const results = await Promise.allSettled(asked)
      return results.some(one => one.status === 'rejected' && isProblem(one.reason, 'tooManyRequests'))
    })
    const names = Array.from({ length: 200 }, (_, index) => `x-${index}`)
    await Promise.all(
      names.map(name => alice.createBrief(CONFIG_MAPS, namespace, configMap(name), { deadlineMs: 120_000 })),
    )
    assert.equal((await existing(client, namespace)).size, 200)
    assert.ok(alice.limiter.limit < 16)
  })
})
