import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, realpathSync, statSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** Where a server's programs are, and who may run them: PostgreSQL refuses to run as root. */
export interface Binaries {
  readonly bin: string
  readonly user: { readonly uid: number; readonly gid: number } | null
}

/**
 * The programs of the optional dependency `postgres-VERSION`.
 *
 * @param folder  Gets a copy where the user that must run them cannot reach the installed ones.
 * @throws {Error} With one sentence where they cannot be had.
 */
export function binaries(version: number, folder: string): Binaries {
  const here = `${process.platform}-${process.arch}`
  const root = join(import.meta.dirname, '../../../node_modules', `postgres-${version}`)
  if (here !== 'linux-x64' || !existsSync(root))
    throw new Error(
      `PostgreSQL ${version} for tests is an npm package for linux-x64; it is not here (${here})`,
    )
  const native = join(realpathSync(root), 'native')
  linkLibraries(native)
  const user = process.getuid?.() === 0 ? nobody() : null
  if (user === null || reachable(native)) return { bin: join(native, 'bin'), user }
  const copy = join(folder, 'native')
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  return { bin: join(copy, 'bin'), user }
}

/** npm packages hold no symbolic links; the package lists them, and its install script may not have run. */
function linkLibraries(native: string): void {
  const listed: unknown = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'))
  if (!Array.isArray(listed)) throw new Error('the list of symbolic links of the package is not a list')
  for (const link of listed as readonly { readonly source: string; readonly target: string }[]) {
    const target = join(native, '..', link.target)
    try {
      symlinkSync(relative(dirname(target), join(native, '..', link.source)), target)
    } catch {
      // It is there, or another test file was faster.
    }
  }
}

function nobody(): { uid: number; gid: number } {
  const id = (option: string): number => {
    const { status, stdout } = spawnSync('id', [option, 'nobody'], { encoding: 'utf8' })
    if (status !== 0) throw new Error('PostgreSQL refuses root, and there is no user "nobody" to run it as')
    return Number(stdout)
  }
  return { uid: id('-u'), gid: id('-g') }
}

/** Whether anybody may go through all directories above. */
function reachable(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}
