import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Image, busyboxRoot, writeImage } from './image.ts'
import { NODE_ADDRESS, containerdConfig, kubeletConfig, networkConfig, proxyConfig } from './node-config.ts'
import { Part, eventually, freePorts, quietly } from './parts.ts'
import { clusterPrograms, kubectlPrograms } from './programs.ts'

/** `api`: pods are objects that nobody runs. `full`: a node with a kubelet and containers runs them. */
export type ClusterMode = 'api' | 'full'

export interface ClusterOptions {
  readonly mode: ClusterMode
  /** Where its processes keep what they have. Default: one folder a mode, in the folder for temporary files. */
  readonly state?: string
  readonly say?: (line: string) => void
  /** More arguments of the API server. */
  readonly apiServer?: readonly string[]
}

interface Facts {
  readonly mode: ClusterMode
  readonly etcdPort: number
  readonly etcdPeerPort: number
  readonly apiPort: number
  readonly apiServer: readonly string[]
}

export const USERS = { admin: 'admin-token', alice: 'alice-token', bob: 'bob-token' } as const

/**
 * A real Kubernetes of this machine's own, made of its real programs as plain processes. It outlives the process that
 * started it; starting one that runs changes nothing.
 */
export class Cluster {
  readonly mode: ClusterMode
  readonly state: string
  readonly #facts: Facts
  readonly #programs: readonly string[]
  readonly #parts = new Map<string, Part>()

  constructor(state: string, facts: Facts, programs: readonly string[]) {
    this.state = state
    this.mode = facts.mode
    this.#facts = facts
    this.#programs = programs
  }

  get server(): string {
    return `https://${this.#address}:${this.#facts.apiPort}`
  }

  /** Path of a kubeconfig; its contexts are the users of {@link USERS}, `admin` is the current one. */
  get kubeconfig(): string {
    return join(this.state, 'kubeconfig')
  }

  get ca(): string {
    return readFileSync(join(this.state, 'certs', 'apiserver.crt'), 'utf8')
  }

  part(name: string): Part {
    const known = this.#parts.get(name) ?? new Part(name, this.state, this.#programs)
    this.#parts.set(name, known)
    return known
  }

  /** Runs kubectl as the administrator and gives what it prints. */
  kubectl(...args: readonly string[]): string {
    return execFileSync(this.#program('kubectl'), ['--kubeconfig', this.kubeconfig, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  /** `kubectl apply` of objects. */
  apply(...objects: readonly object[]): string {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
    return execFileSync(this.#program('kubectl'), ['--kubeconfig', this.kubeconfig, 'apply', '-f', '-'], {
      encoding: 'utf8',
      input: list,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  }

  helm(...args: readonly string[]): string {
    return execFileSync(this.#program('helm'), ['--kubeconfig', this.kubeconfig, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  async start(): Promise<void> {
    this.#writeCredentials()
    if (this.mode === 'full') takeNodeAddress()
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
    await eventually(
      'the default service account',
      () => this.kubectl('get', 'serviceaccount', 'default', '-o', 'name') !== '',
      () => this.part('controller-manager').tail(),
    )
  }

  async startApiServer(): Promise<void> {
    const { etcdPort, apiPort, apiServer } = this.#facts
    const address = this.#address
    this.part('apiserver').start('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${etcdPort}`,
      '--cert-dir=certs',
      `--bind-address=${address}`,
      `--advertise-address=${address === '127.0.0.1' ? '10.245.0.1' : address}`,
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
    ])
    await eventually(
      'the API server',
      () => this.kubectl('get', '--raw', '/readyz').trim() === 'ok',
      () => this.part('apiserver').tail(),
    )
  }

  /** Makes the image known to the node. There is no registry: use a tag other than `latest`, or `IfNotPresent`. */
  async addImage(image: Image): Promise<void> {
    const file = join(this.state, `image-${process.pid}-${Date.now()}.tar`)
    await writeImage(file, image)
    try {
      execFileSync(this.#program('ctr'), ['-a', this.#socket, '-n', 'k8s.io', 'images', 'import', file], {
        stdio: 'ignore',
      })
    } finally {
      rmSync(file)
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
    return PARTS.filter(([, mode]) => mode === 'api' || this.mode === 'full').map(([part]) => ({
      part,
      pid: this.part(part).pid,
    }))
  }

  /** Ends every process, in the reverse of the order in which they were started, and what they leave behind. */
  async stop(): Promise<void> {
    for (const [name] of PARTS.toReversed()) {
      if (name === 'containerd') this.#endContainers()
      await this.part(name).stop()
    }
    if (this.mode === 'full') {
      this.#unmount()
      for (const link of ['kt0', 'kbr0']) quietly('ip', 'link', 'delete', link)
    }
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
    const write = (name: string, text: string): void => writeFileSync(join(this.state, name), text)
    mkdirSync(join(this.state, 'cni'), { recursive: true })
    write('cni/network.conflist', networkConfig)
    write('containerd.toml', containerdConfig(this.state))
    write('kubelet.yaml', kubeletConfig(this.state))
    write('proxy.yaml', proxyConfig(this.kubeconfig))
    this.part('scheduler').start('kube-scheduler', [
      `--kubeconfig=${this.kubeconfig}`,
      '--leader-elect=false',
      '--secure-port=0',
    ])
    this.part('containerd').start('containerd', ['--config', 'containerd.toml'])
    await eventually(
      'containerd',
      () => quietly(this.#program('ctr'), '-a', this.#socket, 'version'),
      () => this.part('containerd').tail(),
    )
    await this.#addUsualImages()
    this.part('kubelet').start('kubelet', [
      `--kubeconfig=${this.kubeconfig}`,
      '--config=kubelet.yaml',
      `--root-dir=${join(this.state, 'kubelet')}`,
      `--cert-dir=${join(this.state, 'kubelet-certs')}`,
      '--hostname-override=node1',
      `--node-ip=${NODE_ADDRESS}`,
    ])
    this.part('proxy').start('kube-proxy', ['--config=proxy.yaml'])
    await eventually(
      'the node',
      () => /\sReady\s/u.test(this.kubectl('get', 'node', 'node1', '--no-headers')),
      () => this.part('kubelet').tail(),
    )
  }

  async #addUsualImages(): Promise<void> {
    const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')
    const entries = await busyboxRoot(applets)
    const names = ['busybox:latest', 'busybox:1.36', 'alpine:latest', 'alpine:3', 'bash:latest', 'bash:5']
    const library = names.map(name => `docker.io/library/${name}`)
    await this.addImage({ names: library, entries, command: ['sh'] })
    await this.addImage({
      names: ['docker.io/local/pause:1'],
      entries,
      entrypoint: ['/bin/sleep'],
      command: ['infinity'],
    })
  }

  #writeCredentials(): void {
    if (!existsSync(join(this.state, 'sa.key'))) {
      const pair = generateKeyPairSync('rsa', {
        modulusLength: 2048,
        publicKeyEncoding: { type: 'spki', format: 'pem' },
        privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
      })
      writeFileSync(join(this.state, 'sa.key'), pair.privateKey, { mode: 0o600 })
      writeFileSync(join(this.state, 'sa.pub'), pair.publicKey)
    }
    const users = Object.entries(USERS)
    const groups = (name: string): string => (name === 'admin' ? ',system:masters' : '')
    const tokens = users.map(([name, token]) => `${token},${name},${name}${groups(name)}\n`)
    writeFileSync(join(this.state, 'tokens.csv'), tokens.join(''), { mode: 0o600 })
    const cluster = {
      server: this.server,
      'certificate-authority': join(this.state, 'certs', 'apiserver.crt'),
    }
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster }],
      users: users.map(([name, token]) => ({ name, user: { token } })),
      contexts: users.map(([name]) => ({ name, context: { cluster: 'test', user: name } })),
      'current-context': 'admin',
    }
    // JSON is YAML.
    writeFileSync(this.kubeconfig, JSON.stringify(config, null, 2), { mode: 0o600 })
  }

  #endContainers(): void {
    if (this.part('containerd').pid === null) return
    const ctr = (...args: readonly string[]): string =>
      execFileSync(this.#program('ctr'), ['-a', this.#socket, '-n', 'k8s.io', ...args], { encoding: 'utf8' })
    for (const id of ctr('tasks', 'list', '-q').split('\n').filter(Boolean)) {
      quietly(this.#program('ctr'), '-a', this.#socket, '-n', 'k8s.io', 'tasks', 'delete', '--force', id)
    }
  }

  #unmount(): void {
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n')
    const ours = mounts
      .map(line => line.split(' ')[1] ?? '')
      .filter(path => path.startsWith(`${this.state}/`))
    for (const path of ours.toReversed()) quietly('umount', '-l', path)
    // The network namespaces of pods are mounted where everybody's are.
    for (const line of mounts) {
      const path = line.split(' ')[1] ?? ''
      if (/^(?:\/var)?\/run\/netns\/cni-/u.test(path)) quietly('umount', '-l', path)
    }
  }

  #program(name: string): string {
    return this.#programs.map(folder => join(folder, name)).find(path => existsSync(path)) ?? name
  }

  get #socket(): string {
    return join(this.state, 'containerd', 'containerd.sock')
  }

  get #address(): string {
    return this.mode === 'full' ? NODE_ADDRESS : '127.0.0.1'
  }
}

/** In the order of their start. */
const PARTS: readonly (readonly [name: string, mode: ClusterMode])[] = [
  ['etcd', 'api'],
  ['apiserver', 'api'],
  ['controller-manager', 'api'],
  ['scheduler', 'full'],
  ['containerd', 'full'],
  ['kubelet', 'full'],
  ['proxy', 'full'],
]

/** The cluster of a folder, running or not; null when there is none. */
export async function findCluster(state: string): Promise<Cluster | null> {
  const file = join(state, 'cluster.json')
  if (!existsSync(file)) return null
  const facts = JSON.parse(readFileSync(file, 'utf8')) as Facts
  const programs = [...(await kubectlPrograms()), ...(await clusterPrograms(facts.mode, () => undefined))]
  return new Cluster(state, facts, programs)
}

/** Starts a cluster, or what of it does not run. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { mode, say = () => undefined } = options
  const state = resolve(options.state ?? defaultState(mode))
  const programs = [...(await kubectlPrograms()), ...(await clusterPrograms(mode, say))]
  mkdirSync(state, { recursive: true, mode: 0o755 })
  const known = await findCluster(state)
  if (known !== null) {
    await known.start()
    return known
  }
  const [etcdPort = 0, etcdPeerPort = 0, apiPort = 0] = await freePorts(3)
  const facts: Facts = { mode, etcdPort, etcdPeerPort, apiPort, apiServer: options.apiServer ?? [] }
  writeFileSync(join(state, 'cluster.json'), JSON.stringify(facts))
  const cluster = new Cluster(state, facts, programs)
  await cluster.start()
  return cluster
}

export const defaultState = (mode: ClusterMode): string => join(tmpdir(), `kontroler-cluster-${mode}`)

/** A kubelet refuses a loopback address, and Services cannot point to one: the node gets one of its own. */
function takeNodeAddress(): void {
  if (quietly('ip', 'link', 'show', 'kt0')) return
  for (const args of [
    ['link', 'add', 'kt0', 'type', 'bridge'],
    ['addr', 'add', `${NODE_ADDRESS}/32`, 'dev', 'kt0'],
    ['link', 'set', 'kt0', 'up'],
  ])
    execFileSync('ip', args)
}
