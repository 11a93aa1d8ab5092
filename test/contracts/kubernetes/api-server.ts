import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { open, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Identity, NO_TLS } from '../../../src/kubernetes/identity.ts'

/** An etcd and an API server of a test's own, in a folder of the test's own. */
export interface ApiServer extends AsyncDisposable {
  readonly port: number
  readonly url: string
  /** PEM of the authority that the server's certificate comes from. */
  readonly ca: string
  /** As which user; another address than the server's own goes through a proxy. */
  identity(user?: 'admin' | 'alice', url?: string): Identity
  /** Ends the API server; etcd stays. */
  stop(): Promise<void>
  /** Starts it again on the same port. */
  start(): Promise<void>
  /** Throws away all history before the present revision, in etcd. */
  compact(): Promise<void>
}

/** @param folder Empty; the caller removes it. @param binaries Where `etcd` and `kube-apiserver` are. */
export async function startApiServer(
  folder: string,
  binaries: { readonly etcd: string; readonly apiServer: string },
  flags: readonly string[] = [],
): Promise<ApiServer> {
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()]
  await writeKeys(folder)
  const etcdUrl = `http://127.0.0.1:${client}`
  const peerUrl = `http://127.0.0.1:${peer}`
  const etcd = await startProcess(folder, 'etcd', binaries.etcd, [
    ...['--data-dir', join(folder, 'etcd'), '--unsafe-no-fsync', '--log-level', 'error'],
    ...['--listen-client-urls', etcdUrl, '--advertise-client-urls', etcdUrl],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ...['--initial-cluster', `default=${peerUrl}`],
  ])
  const url = `https://127.0.0.1:${port}`
  const start = async (): Promise<ChildProcess> => {
    const child = await startProcess(folder, 'api-server', binaries.apiServer, [
      ...['--etcd-servers', etcdUrl, '--cert-dir', join(folder, 'certs'), '--secure-port', String(port)],
      ...['--bind-address', '127.0.0.1', '--advertise-address', '10.255.255.1'],
      ...['--service-account-key-file', join(folder, 'sa.pub')],
      ...['--service-account-signing-key-file', join(folder, 'sa.key')],
      ...['--service-account-issuer', 'https://kubernetes.default.svc'],
      ...['--token-auth-file', join(folder, 'tokens.csv'), '--authorization-mode', 'RBAC'],
      ...['--disable-admission-plugins', 'ServiceAccount', '--service-cluster-ip-range', '10.96.0.0/16'],
      ...['--endpoint-reconciler-type', 'none', '--shutdown-delay-duration', '0'],
      ...flags,
    ])
    await ready(child, url)
    return child
  }
  let server = await start()
  const ca = await readFile(join(folder, 'certs', 'apiserver.crt'), 'utf8')
  return {
    port,
    url,
    ca,
    identity: (user = 'admin', address = url) => fixedIdentity(address, ca, `${user}-token`),
    stop: () => stopProcess(server),
    async start() {
      server = await start()
    },
    async compact() {
      const range = await fetch(`${etcdUrl}/v3/kv/range`, {
        method: 'POST',
        body: JSON.stringify({ key: 'AA==' }),
      })
      const { header } = (await range.json()) as { header: { revision: string } }
      const body = JSON.stringify({ revision: header.revision, physical: true })
      const compacted = await fetch(`${etcdUrl}/v3/kv/compaction`, { method: 'POST', body })
      if (!compacted.ok) throw new Error(`compaction: ${await compacted.text()}`)
    },
    async [Symbol.asyncDispose]() {
      await stopProcess(server)
      await stopProcess(etcd)
    },
  }
}

export function fixedIdentity(server: string, ca: string, token: string): Identity {
  const tls = { ...NO_TLS, ca }
  const access = { authorization: `Bearer ${token}`, headers: {}, tls }
  return {
    server,
    namespace: 'default',
    access: () => Promise.resolve(access),
    refresh: () => Promise.resolve(),
  }
}

async function writeKeys(folder: string): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  await writeFile(join(folder, 'sa.pub'), publicKey)
  await writeFile(join(folder, 'sa.key'), privateKey)
  await writeFile(
    join(folder, 'tokens.csv'),
    'admin-token,admin,admin,system:masters\nalice-token,alice,alice\n',
  )
}

async function startProcess(
  folder: string,
  name: string,
  command: string,
  args: readonly string[],
): Promise<ChildProcess> {
  const log = await open(join(folder, `${name}.log`), 'a')
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', log.fd, log.fd] })
  await once(child, 'spawn')
  await log.close()
  return child
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  const { Agent } = await import('undici')
  await using agent = new AgentScope(new Agent({ connect: { rejectUnauthorized: false } }))
  for (let tries = 0; tries < 600; tries += 1) {
    if (child.exitCode !== null) throw new Error('the API server ended; see api-server.log')
    const status = await agent.status(url)
    if (status === 200) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error('the API server did not become ready')
}

class AgentScope implements AsyncDisposable {
  readonly #agent: import('undici').Agent

  constructor(agent: import('undici').Agent) {
    this.#agent = agent
  }

  async status(url: string): Promise<number> {
    try {
      const { statusCode, body } = await this.#agent.request({
        origin: url,
        path: '/readyz',
        method: 'GET',
        headers: { authorization: 'Bearer admin-token' },
      })
      await body.dump()
      return statusCode
    } catch {
      return 0
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#agent.destroy()
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
