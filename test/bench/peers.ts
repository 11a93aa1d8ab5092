import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Everything a run of the benchmark makes, removed at the end. */
export const SCRATCH = mkdtempSync(join(tmpdir(), 'kontroler-bench-'))
process.on('exit', () => rmSync(SCRATCH, { recursive: true, force: true }))

/** What is fetched or compiled once and kept between runs; ignored by git, as `node_modules` is everywhere. */
const CACHE = fileURLToPath(new URL('./.cache/node_modules/', import.meta.url))
const DAGU = '@dagu-org/dagu-linux-x64'

/** A program to compare with, or a sentence that says why there is none. */
export type Peer =
  | { readonly file: string; readonly version: string }
  | { readonly file: null; readonly why: string }

/** The bare `posix_spawn` loop in C: what starting processes costs on this machine. */
export function spawnLoop(): Peer {
  const source = fileURLToPath(new URL('./floor/spawn-loop.c', import.meta.url))
  const file = join(SCRATCH, 'spawn-loop')
  const { status, stderr } = spawnSync('cc', ['-O2', '-o', file, source], { encoding: 'utf8' })
  if (status === 0) return { file, version: 'posix_spawn' }
  return { file: null, why: `no C compiler: ${stderr ?? 'cc is not there'}`.split('\n')[0] ?? '' }
}

/** dagu is one binary in an npm package; never a dependency, only fetched to compare with. */
export function dagu(): Peer {
  const file = join(CACHE, DAGU, 'bin/dagu')
  if (!existsSync(file)) {
    mkdirSync(CACHE, { recursive: true })
    const install = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', join(CACHE, '..'), DAGU]
    spawnSync('npm', install, { stdio: 'ignore' })
  }
  if (!existsSync(file)) return { file: null, why: `dagu: npm could not fetch ${DAGU}` }
  const { stdout, stderr } = spawnSync(file, ['version'], {
    encoding: 'utf8',
    env: daguEnvironment(join(SCRATCH, 'dagu')),
  })
  return { file, version: `dagu ${`${stdout}${stderr}`.trim()}` }
}

export const daguEnvironment = (home: string): NodeJS.ProcessEnv => ({ ...process.env, DAGU_HOME: home })

/** A program of the system; as root, Debian's package is installed when it is not there. */
export function system(name: string, versionArgument: string): Peer {
  const ask = () => spawnSync(name, [versionArgument], { encoding: 'utf8' })
  let found = ask()
  if (found.error !== undefined && process.getuid?.() === 0) {
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', name], { stdio: 'ignore' })
    found = ask()
  }
  if (found.error !== undefined) return { file: null, why: `${name} is not installed` }
  return { file: name, version: `${name} ${found.stdout.split('\n')[0]?.replace(/^.*?(\d)/u, '$1') ?? ''}` }
}

export interface Ran {
  readonly ms: number
  readonly stdout: string
}

/** Runs a command to its end and says how long it took; an exit code other than 0 is a broken benchmark. */
export async function timed(
  file: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ran> {
  const start = performance.now()
  const child = spawn(file, args, {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const ms = performance.now() - start
  if (code !== 0)
    throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${Buffer.concat(err).toString()}`)
  return { ms, stdout: Buffer.concat(out).toString() }
}
