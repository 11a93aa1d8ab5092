import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Ended, PROGRAM, type Started } from '../../cli/program.ts'

/** A person at a shell who has a kubeconfig, and the program in a folder of the PATH under both of its names. */
export interface Person extends AsyncDisposable {
  readonly folder: string
  file(name: string, text: string): Promise<string>
  /** `kontroler WORDS…` */
  kontroler(...words: readonly string[]): Promise<Ended>
  start(words: readonly string[], more?: Readonly<Record<string, string>>): Started
  /** Any program of the PATH, such as kubectl. */
  run(program: string, words: readonly string[], more?: Readonly<Record<string, string>>): Promise<Ended>
}

/** @param path  Folders in front of the PATH. */
export async function person(kubeconfig: string, path: readonly string[] = []): Promise<Person> {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-person-'))
  for (const name of ['kontroler', 'kubectl-kontroler']) await symlink(PROGRAM, join(folder, name))
  const { CI: _, NO_COLOR: __, KUBECONFIG: ___, ...inherited } = process.env
  const node = join(process.execPath, '..')
  const children = new Set<ChildProcess>()
  const begin = (
    program: string,
    words: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Started => {
    const child = spawn(program, words, {
      cwd: folder,
      env: {
        ...inherited,
        PATH: [folder, ...path, node, inherited['PATH']].join(':'),
        HOME: folder,
        KUBECONFIG: kubeconfig,
        USER: 'tester',
        ...more,
      },
      stdio: 'pipe',
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes))
    child.stderr.on('data', (bytes: Buffer) => err.push(bytes))
    child.stdin.end()
    children.add(child)
    const ended = new Promise<Ended & { readonly bytes: Buffer }>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', code =>
        resolve({
          code,
          stdout: String(Buffer.concat(out)),
          stderr: String(Buffer.concat(err)),
          bytes: Buffer.concat(out),
        }),
      )
    })
    return { child, output: () => String(Buffer.concat(out)), ended }
  }
  return {
    folder,
    async file(name, text) {
      const path = join(folder, name)
      await writeFile(path, text)
      await chmod(path, 0o600)
      return path
    },
    kontroler: (...words) => begin(process.execPath, [PROGRAM, ...words]).ended,
    start: (words, more) => begin(process.execPath, [PROGRAM, ...words], more),
    run: (program, words, more) => begin(program, words, more).ended,
    async [Symbol.asyncDispose]() {
      // A test that failed has left some of them.
      for (const child of children) child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
