import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { USERS, writeCredentials } from './credentials.ts'
import { hostName, leaveHost, type Running, takeHost } from './host.ts'
import { type Image, writeImage } from './image.ts'
import { missingImages } from './images.ts'
import { Kubernetes } from './kubernetes.ts'
import { withLock } from './lock.ts'
import { KNOWN_IMAGES_FIRST, NODE_ADDRESS, PROXY_HEALTH, writeNodeConfig } from './node-config.ts'
import { comesUp, freePorts, Part, quietly } from './parts.ts'
import { clusterPrograms, kubectlPrograms } from './programs.ts'

export { USERS }

/** `api`: pods are objects that nobody runs. `full`: a node with a kubelet and containers runs them. */
export type ClusterMode = 'api' | 'full'

export interface ClusterOptions {
  readonly mode: ClusterMode
  /** Where its processes keep what they have. Default: one folder a mode, in the folder for temporary files. */
  readonly state?: string
  readonly say?: (line: string) => void
  /**
   * More arguments of the API server, such as `--max-requests-inflight=4`. Only heeded when the cluster is made. See
   * {@link Cluster.startApiServer} for later.
   */
  readonly apiServer?: readonly string[]
  /** Mode `api` only: a fake node as a process of its own, where pods say by an annotation what their life is. */
  readonly fakeNode?: boolean
}

interface Facts {
  readonly mode: ClusterMode
  readonly etcdPort: number
  readonly etcdPeerPort: number
  readonly apiPort: number
  readonly apiServer: readonly string[]
  readonly fakeNode?: boolean
}

/** All parts that there can be, in the order of their start. */
const PARTS = [
  'etcd',
  'apiserver',
  'controller-manager',
  'scheduler',
  'containerd',
  'kubelet',
  'proxy',
  'fake-node',
] as const
const API_PARTS = PARTS.slice(0, 3)
const PROXY = `http://${PROXY_HEALTH}/healthz`

/**
 * A real Kubernetes of this machine's own, made of its real programs as plain processes. It outlives the process that
 * started it; starting one that runs changes nothing.
 */
export class Cluster extends Kubernetes {
  readonly mode: ClusterMode
  readonly state: string
  /** By user. */
  readonly tokens = USERS
  readonly #facts: Facts
  readonly #programs: readonly string[]

  constructor(state: string, facts: Facts, programs: readonly string[]) {
    super(join(state, 'kubeconfig'), programs)
    this.state = state
    this.mode = facts.mode
    this.#facts = facts
    this.#programs = programs
  }

  override get server(): string {
    return `https://${this.#address}:${this.#facts.apiPort}`
  }

  get token(): string {
    return USERS.admin
  }

  get ca(): string {
    return readFileSync(join(this.state, 'certs', 'apiserver.crt'), 'utf8')
  }

  part(name: string): Part {
    return new Part(name, this.state, this.#programs)
  }

  async start(): Promise<void> {
    if (this.mode === 'full') takeHost(this.state, RUNNING)
    writeCredentials(this.state, this.server)
    this.#startEtcd()
    await this.startApiServer()
    this.part('controller-manager').start('kube-controller-manager', [
      `--kubeconfig=${this.kubeconfig}`,
      '--service-account-private-key-file=sa.key',
      '--root-ca-file=certs/apiserver.crt',
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      '--secure-port=0',
    ])
    if (this.mode === 'full') await this.#startNode()
    if (this.#facts.fakeNode === true) await this.#startFakeNode()
    await comesUp(
      this.part('controller-manager'),
      () => this.kubectl('get', 'serviceaccount', 'default', '-o', 'name') !== '',
    )
  }

  /** @param more  Arguments besides those with which the cluster was made, this time. */
  async startApiServer(more: readonly string[] = []): Promise<void> {
    const { etcdPort, apiPort, apiServer } = this.#facts
    const address = this.#address
    this.part('apiserver').start('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${etcdPort}`,
      '--cert-dir=certs',
      `--bind-address=${address}`,
      `--advertise-address=${NODE_ADDRESS}`,
      `--secure-port=${apiPort}`,
      '--service-account-key-file=sa.pub',
      '--service-account-signing-key-file=sa.key',
      '--service-account-issuer=https://kubernetes.default.svc',
      '--token-auth-file=tokens.csv',
      '--authorization-mode=Node,RBAC',
      '--allow-privileged=true',
      '--service-cluster-ip-range=10.96.0.0/16',
      '--enable-admission-plugins=NodeRestriction',
      '--kubelet-preferred-address-types=InternalIP',
      ...apiServer,
      ...more,
    ])
    await comesUp(this.part('apiserver'), () => this.#isReady())
  }

  /** Kills it; the database stays. */
  async stopApiServer(): Promise<void> {
    await this.part('apiserver').kill()
  }

  async startKubelet(): Promise<void> {
    this.part('kubelet').start('kubelet', [
      `--kubeconfig=${this.kubeconfig}`,
      '--config=kubelet.yaml',
      `--root-dir=${join(this.state, 'kubelet')}`,
      `--cert-dir=${join(this.state, 'kubelet-certs')}`,
      '--hostname-override=node1',
      `--node-ip=${NODE_ADDRESS}`,
    ])
    await comesUp(this.part('kubelet'), () => this.#isNodeReady('node1'))
  }

  /** Its containers go on, and nobody tells of them. */
  async killKubelet(): Promise<void> {
    await this.part('kubelet').kill()
  }

  /** Makes the image known to the node. There is no registry: use a tag other than `latest`, or `IfNotPresent`. */
  async addImage(image: Image): Promise<void> {
    const file = join(this.state, `image-${process.pid}-${performance.now()}.tar`)
    try {
      await writeImage(file, image)
      this.#ctr('images', 'import', file)
    } finally {
      rmSync(file, { force: true })
    }
  }

  /** Forgets the past of the database: watches that stand in it are told 410. */
  async compact(): Promise<void> {
    const post = async (path: string, body: object): Promise<{ header?: { revision: string } }> => {
      const url = `http://127.0.0.1:${this.#facts.etcdPort}/v3/${path}`
      const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
      return (await answer.json()) as { header?: { revision: string } }
    }
    const { header } = await post('maintenance/status', {})
    await post('kv/compaction', { revision: header?.revision, physical: true })
  }

  status(): readonly { readonly part: string; readonly pid: number | null }[] {
    return this.#ownParts().map(part => ({ part, pid: this.part(part).pid }))
  }

  /** Whether a part that runs does its work; of the manager and the scheduler nothing more is known. */
  async isHealthy(part: string): Promise<boolean> {
    const { etcdPort } = this.#facts
    const ways: Readonly<Record<string, () => boolean | Promise<boolean>>> = {
      etcd: () => answers(`http://127.0.0.1:${etcdPort}/health`),
      apiserver: () => this.#isReady(),
      containerd: () => this.#ctr('version') !== '',
      kubelet: () => this.#isNodeReady('node1'),
      proxy: () => answers(PROXY),
      'fake-node': () => this.#isNodeReady('fake1'),
    }
    if (this.part(part).pid === null) return false
    return await (async () => (await ways[part]?.()) ?? true)().catch(() => false)
  }

  /** Ends every process, in the reverse of the order in which they were started, and what they leave behind. */
  async stop(): Promise<void> {
    const networks: string[] = []
    for (const name of PARTS.toReversed()) {
      if (name === 'containerd' && this.part(name).pid !== null) networks.push(...this.#endContainers())
      await this.part(name).stop()
    }
    if (this.mode === 'full') leaveHost(this.state, networks)
    rmSync(this.state, { recursive: true, force: true })
  }

  #startEtcd(): void {
    const { etcdPort, etcdPeerPort } = this.#facts
    const [client, peer] = [`http://127.0.0.1:${etcdPort}`, `http://127.0.0.1:${etcdPeerPort}`]
    this.part('etcd').start('etcd', [
      '--data-dir=etcd',
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      '--unsafe-no-fsync',
    ])
  }

  async #startNode(): Promise<void> {
    writeNodeConfig(this.state, hostName(this.state), this.kubeconfig)
    this.part('scheduler').start('kube-scheduler', [
      `--kubeconfig=${this.kubeconfig}`,
      '--leader-elect=false',
      '--secure-port=0',
    ])
    this.part('containerd').start('containerd', ['--config', 'containerd.toml'])
    await comesUp(this.part('containerd'), () => this.#ctr('version') !== '')
    const known = this.#ctr('images', 'list', '-q').split('\n')
    for (const image of await missingImages(known)) await this.addImage(image)
    this.part('proxy').start('kube-proxy', ['--config=proxy.yaml'])
    await this.startKubelet()
    await comesUp(this.part('proxy'), () => answers(PROXY))
    this.apply(...KNOWN_IMAGES_FIRST)
  }

  async #startFakeNode(): Promise<void> {
    const program = join(import.meta.dirname, 'fake-node', 'process.ts')
    this.part('fake-node').start(process.execPath, [program, this.state])
    await comesUp(this.part('fake-node'), () => this.#isNodeReady('fake1'))
  }

  /** @returns Where the networks of their pods are mounted. */
  #endContainers(): readonly string[] {
    const networks = new Set<string>()
    for (const id of this.#ctr('containers', 'list', '-q').split('\n').filter(Boolean)) {
      for (const [, path = ''] of this.#ctr('containers', 'info', id).matchAll(
        /"path": "([^"]*\/netns\/[^"]+)"/gu,
      ))
        networks.add(path)
      quietly(this.program('ctr'), ...this.#ctrArguments, 'tasks', 'delete', '--force', id)
    }
    return [...networks]
  }

  #ctr(...args: readonly string[]): string {
    return execFileSync(this.program('ctr'), [...this.#ctrArguments, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  get #ctrArguments(): readonly string[] {
    return ['-a', join(this.state, 'containerd', 'containerd.sock'), '-n', 'k8s.io']
  }

  #isReady(): boolean {
    return this.kubectl('get', '--raw', '/readyz').trim() === 'ok'
  }

  #isNodeReady(name: string): boolean {
    return /\sReady\s/u.test(this.kubectl('get', 'node', name, '--no-headers'))
  }

  #ownParts(): readonly string[] {
    if (this.mode === 'full') return PARTS.filter(part => part !== 'fake-node')
    return this.#facts.fakeNode === true ? [...API_PARTS, 'fake-node'] : API_PARTS
  }

  get #address(): string {
    return this.mode === 'full' ? NODE_ADDRESS : '127.0.0.1'
  }
}

/** The cluster of a folder, running or not; null when there is none. */
export async function findCluster(state: string): Promise<Cluster | null> {
  const file = join(resolve(state), 'cluster.json')
  if (!existsSync(file)) return null
  const facts = JSON.parse(readFileSync(file, 'utf8')) as Facts
  const programs = [...(await kubectlPrograms()), ...(await clusterPrograms(facts.mode))]
  return new Cluster(resolve(state), facts, programs)
}

/** Starts a cluster, or what of it does not run. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { mode, say } = options
  const state = resolve(options.state ?? defaultState(mode))
  // Whatever stands in the way is said before anything is built or written.
  if (mode === 'full') takeHost(state, RUNNING)
  const programs = [...(await kubectlPrograms(say)), ...(await clusterPrograms(mode, say))]
  mkdirSync(state, { recursive: true, mode: 0o755 })
  return await withLock(join(state, 'lock'), async () => {
    const known = await findCluster(state)
    if (known !== null && known.mode !== mode)
      throw new Error(`the cluster in ${state} is one of mode ${known.mode}`)
    const cluster = known ?? new Cluster(state, await newFacts(state, options), programs)
    await cluster.start()
    return cluster
  })
}

async function newFacts(
  state: string,
  { mode, apiServer = [], fakeNode = false }: ClusterOptions,
): Promise<Facts> {
  const [etcdPort = 0, etcdPeerPort = 0, apiPort = 0] = await freePorts(3)
  const facts: Facts = { mode, etcdPort, etcdPeerPort, apiPort, apiServer, fakeNode }
  writeFileSync(join(state, 'cluster.json'), JSON.stringify(facts))
  return facts
}

export const defaultState = (mode: ClusterMode): string => join(tmpdir(), `kontroler-cluster-${mode}`)

const runs = (name: string, state: string): boolean => new Part(name, state, []).pid !== null
const RUNNING: Running = {
  any: state => PARTS.some(name => runs(name, state)),
  kubelet: state => runs('kubelet', state),
}

const answers = async (url: string): Promise<boolean> => (await fetch(url)).ok
