import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createFilesystemLogs } from '../../src/archives/filesystem/logs.ts'
import { attemptPath } from '../../src/core/run/attempt-path.ts'
import { type Client } from '../../src/kubernetes/client.ts'
import { openClient } from '../../src/kubernetes/open-client.ts'
import { NO_TLS } from '../../src/kubernetes/identity.ts'
import { CONFIG_MAPS, NAMESPACES, PODS, type Resource } from '../../src/kubernetes/resource.ts'
import { openPodExecutor } from '../../src/executors/pod/executor.ts'
import type { PodLogs } from '../../src/executors/pod/cluster-logs.ts'
import type { PodPlace } from '../../src/executors/pod/names.ts'
import type { AttemptRef, Executor, Observation, AttemptSpec } from '../../src/ports/executor.ts'
import type { LogArchive } from '../../src/ports/logs.ts'
import type { ExecutorHarness } from '../contracts/executor-harness.ts'

const VOLUMES: Resource = { group: '', version: 'v1', plural: 'persistentvolumes', kind: 'PersistentVolume', namespaced: false }

export async function testClient(): Promise<Client> {
  const ca = await readFile('/tmp/kb/run/certs/apiserver.crt', 'utf8')
  const access = { authorization: 'Bearer admintoken', headers: {}, tls: { ...NO_TLS, ca } }
  return openClient({
    identity: { server: 'https://10.245.0.1:6443', namespace: 'default', access: async () => access, refresh: async () => {} },
  })
}

class DirectLogs implements PodLogs {
  readonly pods = new Map<string, PodPlace>()
  readonly #done = new Set<string>()
  readonly client: Client
  readonly dir: string
  constructor(client: Client, dir: string) {
    this.client = client
    this.dir = dir
  }
  running(ref: AttemptRef, pod: PodPlace): void { this.pods.set(key(ref), pod) }
  async ended(ref: AttemptRef, pod: PodPlace): Promise<void> {
    this.pods.set(key(ref), pod)
    await this.fetch(ref)
    this.#done.add(key(ref))
  }
  async isComplete(ref: AttemptRef): Promise<boolean> { return this.#done.has(key(ref)) }
  async close(): Promise<void> {}
  async fetch(ref: AttemptRef): Promise<void> {
    const pod = this.pods.get(key(ref))
    if (pod === undefined || this.#done.has(key(ref))) return
    const file = join(this.dir, attemptPath(ref.run, ref.task, ref.attempt), 'log')
    const parts: Buffer[] = []
    try {
      const answer = await this.client.logs(pod, { container: 'main' })
      for await (const part of answer.body) parts.push(part as Buffer)
    } catch { return }
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, Buffer.concat(parts))
  }
}
const key = (ref: AttemptRef): string => `${ref.run}/${ref.task}/${ref.attempt}`

export async function podPlace(client: Client): Promise<ExecutorHarness> {
  const id = randomBytes(4).toString('hex')
  const namespace = `t-${id}`
  await client.create(NAMESPACES, undefined, { metadata: { name: namespace } })
  const dir = await mkdtemp(join(tmpdir(), 'kontroler-pods-'))
  const volume = join(dir, 'volume')
  await mkdir(volume); await chmod(dir, 0o755); await chmod(volume, 0o777)
  const volumes = ['0', '1'].map(n => `v-${id}-${n}`)
  for (const name of volumes)
    await client.create(VOLUMES, undefined, { metadata: { name }, spec: { storageClassName: namespace, capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: join(volume, name), type: 'DirectoryOrCreate' } } })
  const logs = new DirectLogs(client, dir)
  const files = createFilesystemLogs(dir)
  const archive: LogArchive = {
    async read(ref, offset, max) { await logs.fetch(ref); return await files.read(ref, offset, max) },
    async size(ref) { await logs.fetch(ref); return await files.size(ref) },
    remove: run => { logs.pods.clear(); return files.remove(run) },
  }
  const opened: Promise<Executor>[] = []
  return {
    workspaceClaim: { storageClassName: namespace, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    namespace,
    image: 'busybox:1.36',
    workdir: '/',
    logs: archive,
    open: observe => {
      const executor = openPodExecutor({
        client, installation: `i-${id}`, namespaces: [namespace], observe,
        clock: { now: () => Date.now(), after: (ms, call) => { const t = setTimeout(call, ms); return () => clearTimeout(t) }, soon: call => void setImmediate(call) },
        logs, erasInUse: async () => null, standing: async () => 'live', stopGraceMs: 2_000,
        trouble: (code, message) => console.error(code, message),
      })
      opened.push(executor)
      return later(executor)
    },
    leftovers: () => [],
    async remove() {
      for (const executor of opened) await (await executor).close()
      await client.remove(NAMESPACES, { name: namespace })
      for (const name of volumes) await client.remove(VOLUMES, { name })
      await rm(dir, { recursive: true, force: true })
    },
  } as ExecutorHarness
}

/** The contract opens an executor without waiting. */
function later(opening: Promise<Executor>): Executor {
  return {
    name: 'pod', byReference: true,
    ignores: () => [],
    start: (spec: AttemptSpec) => void opening.then(executor => executor.start(spec)),
    adopt: async ref => (await opening).adopt(ref),
    stop: (ref, grace) => void opening.then(executor => executor.stop(ref, grace)),
    release: ref => void opening.then(executor => executor.release(ref)),
    endRun: async (run, options) => (await opening).endRun(run, options),
    close: async () => (await opening).close(),
  }
}
