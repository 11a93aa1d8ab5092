import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { LogQuery } from '../../../src/kubernetes/client.ts'
import { kubeconfigIdentity } from '../../../src/kubernetes/kubeconfig.ts'
import type { KubeObject } from '../../../src/kubernetes/object.ts'
import { openClient } from '../../../src/kubernetes/open-client.ts'
import { NAMESPACES, PODS, SERVICE_ACCOUNTS } from '../../../src/kubernetes/resource.ts'
import { fullCluster } from '../shared.ts'
import { eventually, problemOf } from './place.ts'

const namespace = `client-logs-${process.pid}`
const { kubeconfig } = await fullCluster()
const plugins = { env: {}, interactive: false }
const client = openClient({
  identity: await kubeconfigIdentity({ files: [kubeconfig], missing: 'isError', plugins }),
})

before(async () => {
  await client.create(NAMESPACES, undefined, { metadata: { name: namespace } })
  await eventually('pods may be made', () =>
    client.get(SERVICE_ACCOUNTS, { namespace, name: 'default' }).then(
      () => true,
      () => false,
    ),
  )
})
after(async () => {
  await client.remove(NAMESPACES, { name: namespace })
  await client.close()
})

type Pod = KubeObject & { readonly status: { readonly phase: string } }

async function run(name: string, script: string, more: object = {}): Promise<void> {
  const container = { name: 'main', image: 'busybox:1.36', command: ['sh', '-c', script] }
  await client.create(PODS, namespace, {
    metadata: { name },
    spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [container], ...more },
  })
}
const phaseOf = async (name: string): Promise<string> =>
  (await client.get<Pod>(PODS, { namespace, name })).status.phase
const becomes = (name: string, phase: string): Promise<void> =>
  eventually(`${name} is ${phase}`, async () => (await phaseOf(name)) === phase, 60_000)

async function logOf(name: string, query: LogQuery = {}): Promise<string> {
  const log = await client.logs({ namespace, name }, query)
  const parts: Buffer[] = []
  for await (const part of log.body as AsyncIterable<Buffer>) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}

describe('the log of a pod', { timeout: 120_000 }, () => {
  it('is read whole, byte by byte, after its end', async () => {
    // No CR in front of LF: containerd drops it before anybody can read it.
    await run('whole', "seq 1 50000; printf 'ä\\n\\r\\tno end'")
    await becomes('whole', 'Succeeded')
    const expected = `${Array.from({ length: 50_000 }, (_, index) => `${index + 1}\n`).join('')}ä\n\r\tno end`
    const log = await logOf('whole')
    assert.deepEqual([log.length, log.slice(-20)], [expected.length, expected.slice(-20)])
    assert.ok(log === expected)
    assert.equal(await logOf('whole', { limitBytes: 10 }), '1\n2\n3\n4\n5\n')
    assert.equal(await logOf('whole', { tailLines: 1 }), '\r\tno end')
  })

  it('has the time of each line when asked, and can be read from a time on', async () => {
    await run('timed', 'echo first; sleep 2; echo second')
    await becomes('timed', 'Succeeded')
    const lines = (await logOf('timed', { timestamps: true })).trimEnd().split('\n')
    assert.deepEqual(
      lines.map(line => line.split(' ')[1]),
      ['first', 'second'],
    )
    assert.equal(await logOf('timed', { sinceTime: lines[1]?.split(' ')[0] ?? '' }), 'second\n')
  })

  it('is followed as it comes in, and ends with its container', async () => {
    await run('followed', 'for i in 1 2 3; do echo $i; sleep 0.3; done')
    await eventually('it has begun', async () => (await phaseOf('followed')) !== 'Pending', 60_000)
    assert.equal(await logOf('followed', { follow: true }), '1\n2\n3\n')
  })

  it('takes no slot while it is followed, and stops when asked', async () => {
    await run('long', 'while true; do echo line; sleep 0.1; done')
    await becomes('long', 'Running')
    const controller = new AbortController()
    const { signal } = controller
    const logs = await Promise.all(
      Array.from({ length: 80 }, () =>
        client.logs({ namespace, name: 'long' }, { follow: true }, { signal }),
      ),
    )
    assert.equal(client.limiter.inFlight, 0)
    assert.equal(await phaseOf('long'), 'Running')
    const ends = logs.map(async log => {
      const error: unknown = await log.body
        .resume()
        .toArray()
        .catch((reason: unknown) => reason)
      return log.problem(error).kind
    })
    controller.abort()
    assert.deepEqual(new Set(await Promise.all(ends)), new Set(['aborted']))
  })

  it('of each container is its own, and of one that was started again also the one before', async () => {
    const image = 'busybox:1.36'
    await run('several', '', {
      restartPolicy: 'OnFailure',
      initContainers: [{ name: 'first', image, command: ['echo', 'initial'] }],
      containers: [
        { name: 'fails', image, command: ['sh', '-c', 'echo tried; exit 1'] },
        { name: 'stays', image, command: ['sh', '-c', 'echo stays; sleep 3600'] },
      ],
    })
    await eventually(
      'it was started again',
      async () => {
        const log = await logOf('several', { container: 'fails', previous: true }).catch(() => '')
        return log === 'tried\n'
      },
      60_000,
    )
    assert.equal(await logOf('several', { container: 'first' }), 'initial\n')
    assert.equal(await logOf('several', { container: 'stays' }), 'stays\n')
    assert.equal((await problemOf(logOf('several'))).kind, 'badRequest')
  })

  it('is not there for a pod that is not there, nor for one that has not begun', async () => {
    assert.equal((await problemOf(logOf('nowhere'))).kind, 'notFound')
    await run('waits', 'true', { nodeSelector: { nowhere: 'yes' } })
    assert.equal(await logOf('waits').catch(error => error.kind), '')
  })
})
