import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The real program as a person starts it. */
export const PROGRAM = fileURLToPath(new URL('../../bin/kontroler.js', import.meta.url))
export const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly child: ChildProcess
  /** Standard output so far. */
  readonly output: () => string
  readonly ended: Promise<Ended & { readonly bytes: Buffer }>
}

export interface Place {
  readonly folder: string
  /** State directory of this place. */
  readonly state: string
  /** Writes a manifest of one DAG with these tasks (YAML) and gives its path. */
  dag(name: string, tasks: string, more?: string): Promise<string>
  start(words: readonly string[], options?: StartOptions): Started
  run(...words: readonly string[]): Promise<Ended>
  remove(): Promise<void>
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly uid?: number
}

/** A folder of its own with a state directory for commands. */
export async function place(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-cli-'))
  const state = join(folder, 'state')
  const start = (words: readonly string[], options: StartOptions = {}): Started => {
    const { CI: _, NO_COLOR: __, ...inherited } = process.env
    const child = spawn(process.execPath, [PROGRAM, ...words], {
      cwd: folder,
      env: { ...inherited, KONTROLER_STATE: state, USER: 'tester', ...options.env },
      stdio: 'pipe',
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes))
    child.stderr.on('data', (bytes: Buffer) => err.push(bytes))
    child.stdin.end(options.input ?? '')
    const text = (parts: readonly Buffer[]): string => Buffer.concat(parts).toString()
    const ended = new Promise<Ended & { readonly bytes: Buffer }>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', code =>
        resolve({ code, stdout: text(out), stderr: text(err), bytes: Buffer.concat(out) }),
      )
    })
    return { child, output: () => text(out), ended }
  }
  return {
    folder,
    state,
    async dag(name, tasks, more = '') {
      const file = join(folder, `${name}.yaml`)
      const head = `apiVersion: kontroler.greedykomodo/v1alpha1\nkind: DAG\nmetadata: {name: ${name}}\nspec:\n`
      await writeFile(file, `${head}${more}  task:\n${tasks}`)
      return file
    },
    start,
    run: (...words) => start(words).ended,
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Waits until a condition holds; the test's own time limit ends it otherwise. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 20))
}
