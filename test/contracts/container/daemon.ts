import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createReadStream } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  connect,
  type ContainerEngine,
  type Dialect,
} from '../../../src/executors/container/container-engine.ts'

/** A container engine of a test's own, on a socket and folders of its own. */
export interface Daemon {
  readonly dialect: Dialect
  readonly socket: string
  /** Connects anew; the answer outlives restarts of the daemon. */
  engine(): Promise<ContainerEngine>
  /** Runs the engine's own client. */
  client(...args: readonly string[]): {
    readonly status: number | null
    readonly stdout: string
    readonly stderr: string
  }
  /** Makes the image `busybox` known under a further name. */
  tag(name: string): void
  start(): Promise<void>
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Stops it and removes everything it had. */
  remove(): Promise<void>
}

/** Image that the tests run: Debian's static busybox, and nothing else. */
export const IMAGE = 'busybox'

const PARTS: Readonly<Record<Dialect, readonly string[]>> = {
  docker: ['dockerd', 'containerd', 'runc', 'docker-init'],
  podman: ['podman', 'conmon', 'runc', 'catatonit'],
}
const PACKAGES = ['docker.io', 'podman', 'runc', 'catatonit', 'busybox-static']
const PATH = '/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:/usr/libexec/podman'
const START_MS_MAX = 60_000

/**
 * Why this machine has no such engine for the tests, in one line; null when it has. Root installs what is missing, once.
 */
export function whyNoDaemon(dialect: Dialect): string | null {
  if (process.platform !== 'linux') return `${dialect}: not run, as its daemon is started on Linux only`
  if (process.getuid?.() !== 0) return `${dialect}: not run, as starting a daemon of one's own needs root`
  if (missing(dialect).length > 0) install()
  const left = missing(dialect)
  return left.length === 0
    ? null
    : `${dialect}: not run, as ${left.join(', ')} cannot be had; apt-get install ${PACKAGES.join(' ')}`
}

const missing = (dialect: Dialect): readonly string[] =>
  [...PARTS[dialect], 'busybox'].filter(name => find(name) === null)

const find = (name: string): string | null =>
  PATH.split(':')
    .map(folder => join(folder, name))
    .find(file => existsSync(file)) ?? null

function install(): void {
  // Nothing that is installed starts by itself.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const wait = ['-o', 'DPkg::Lock::Timeout=300']
  const options = { env, stdio: 'ignore', timeout: 240_000 } as const
  spawnSync('apt-get', [...wait, 'update', '-qq'], options)
  spawnSync('apt-get', [...wait, 'install', '-y', '--no-install-recommends', ...PACKAGES], options)
}

/** @throws When it does not come up; the message holds the end of its log. */
export async function startDaemon(dialect: Dialect): Promise<Daemon> {
  const folder = mkdtempSync(join(tmpdir(), `kontroler-${dialect}-`))
  const daemon = daemonIn(folder, dialect)
  try {
    await daemon.start()
    await importImage(folder, daemon.socket)
    return daemon
  } catch (error) {
    await daemon.remove()
    throw error
  }
}

function daemonIn(folder: string, dialect: Dialect): Daemon {
  const socket = join(folder, 'engine.sock')
  const commands = dialect === 'docker' ? dockerCommands(folder, socket) : podmanCommands(folder, socket)
  let child: ChildProcess | null = null
  const daemon: Daemon = {
    dialect,
    socket,
    engine: () => connect(socket),
    client(...args) {
      const [command = '', ...own] = commands.client
      const { status, stdout, stderr } = spawnSync(command, [...own, ...args], {
        cwd: folder,
        env: commands.env,
        encoding: 'utf8',
      })
      return { status, stdout, stderr }
    },
    tag(name) {
      daemon.client('tag', IMAGE, name)
    },
    async start() {
      const log = openSync(join(folder, 'log'), 'a')
      const [command = '', ...args] = [...withParent(), ...commands.daemon]
      child = spawn(command, args, { cwd: folder, env: commands.env, stdio: ['ignore', log, log] })
      closeSync(log)
      for (const until = Date.now() + START_MS_MAX; ; ) {
        if (
          await connect(socket).then(
            () => true,
            () => false,
          )
        )
          return
        if (Date.now() > until || child.exitCode !== null)
          throw new Error(
            `${dialect} did not come up:\n${readFileSync(join(folder, 'log'), 'utf8').slice(-2000)}`,
          )
        await delay(20)
      }
    },
    async stop(signal = 'SIGTERM') {
      const ending = child
      child = null
      if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return
      const over = new Promise(resolve => ending.once('exit', resolve))
      ending.kill(signal)
      await over
    },
    async remove() {
      if (child !== null) {
        daemon.client(
          'rm',
          '--force',
          ...daemon
            .client('ps', '-aq')
            .stdout.split('\n')
            .filter(id => id !== ''),
        )
      }
      await daemon.stop()
      await unmount(folder)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return daemon
}

interface Commands {
  readonly daemon: readonly string[]
  readonly client: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

/** No bridge and no firewall rules: nothing of the machine's network is touched. */
function dockerCommands(folder: string, socket: string): Commands {
  const at = (name: string): string => join(folder, name)
  const quiet = ['--bridge=none', '--iptables=false', '--ip6tables=false', '--storage-driver=overlay2']
  const places = [
    '--data-root',
    at('data'),
    '--exec-root',
    at('exec'),
    '-p',
    at('pid'),
    '-H',
    `unix://${socket}`,
  ]
  return {
    daemon: [find('dockerd') ?? '', ...places, ...quiet, '--insecure-registry=127.0.0.0/8'],
    client: ['/usr/bin/docker', '-H', `unix://${socket}`],
    env: { PATH, HOME: folder, TMPDIR: folder },
  }
}

/** `runc` and plain cgroups work on old and new machines; limits stay below those of the test itself. */
function podmanCommands(folder: string, socket: string): Commands {
  const conf = join(folder, 'containers.conf')
  writeFileSync(
    conf,
    [
      '[containers]',
      'default_ulimits=["nofile=1024:4096","nproc=1024:2048"]',
      'log_driver="k8s-file"',
      'netns="none"',
      '[engine]',
      'cgroup_manager="cgroupfs"',
      'runtime="runc"',
      'events_logger="file"',
      '',
    ].join('\n'),
  )
  const registries = join(folder, 'registries.conf')
  writeFileSync(registries, '[[registry]]\nlocation="127.0.0.1"\ninsecure=true\n')
  const own = [
    '--root',
    join(folder, 'root'),
    '--runroot',
    join(folder, 'run'),
    '--tmpdir',
    join(folder, 'tmp'),
  ]
  return {
    daemon: ['/usr/bin/podman', ...own, 'system', 'service', '-t', '0', `unix://${socket}`],
    client: ['/usr/bin/podman', ...own],
    env: { PATH, HOME: folder, CONTAINERS_CONF: conf, CONTAINERS_REGISTRIES_CONF: registries },
  }
}

/** A test that is killed takes its daemon with it. */
function withParent(): readonly string[] {
  const setpriv = find('setpriv')
  return setpriv === null ? [] : [setpriv, '--pdeathsig', 'TERM']
}

async function importImage(folder: string, socket: string): Promise<void> {
  const root = join(folder, 'image')
  for (const name of ['bin', 'etc', 'root', 'tmp']) mkdirSync(join(root, name), { recursive: true })
  copyFileSync(find('busybox') ?? '', join(root, 'bin/busybox'))
  const applets = spawnSync('busybox', ['--list'], { encoding: 'utf8' }).stdout.split('\n')
  for (const name of applets)
    if (name !== '' && name !== 'busybox') symlinkSync('busybox', join(root, 'bin', name))
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n')
  const tar = join(folder, 'image.tar')
  spawnSync('tar', ['-C', root, '-cf', tar, '.'])
  await new Promise<void>((resolve, reject) => {
    const sending = request(
      {
        socketPath: socket,
        method: 'POST',
        path: `/images/create?fromSrc=-&repo=${IMAGE}&tag=latest`,
        headers: { 'content-type': 'application/x-tar' },
      },
      answer => {
        answer.resume()
        answer.once('end', () =>
          answer.statusCode === 200 ? resolve() : reject(new Error(`import: ${answer.statusCode}`)),
        )
      },
    )
    sending.once('error', reject)
    createReadStream(tar).pipe(sending)
  })
}

/** What a daemon left mounted below its folders, deepest first. */
async function unmount(folder: string): Promise<void> {
  for (let round = 0; round < 20; round += 1) {
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map(line => line.split(' ')[1] ?? '')
      .filter(place => place.startsWith(`${folder}/`))
    if (mounts.length === 0) return
    for (const place of mounts.toReversed()) spawnSync('umount', ['-l', place])
    await delay(50)
  }
}
