import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CHILD = join(import.meta.dirname, 'store-child.ts')

export interface Child {
  readonly process: ChildProcess
  /** What it has said so far, complete lines only. */
  readonly lines: string[]
  /** Waits for its end and gives its exit code; null when a signal ended it. */
  readonly end: Promise<number | null>
  /** Waits until it has said so many lines, or has ended. */
  readonly said: (count: number) => Promise<void>
}

/** Starts `store-child.ts` with arguments. Its standard error is ours. */
export function child(...args: string[]): Child {
  const started = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  let rest = ''
  started.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
  })
  const end = once(started, 'close').then(() => started.exitCode)
  const said = async (count: number): Promise<void> => {
    while (lines.length < count && started.exitCode === null && started.signalCode === null)
      await Promise.race([once(started.stdout, 'data'), end])
  }
  return { process: started, lines, end, said }
}

export async function kill(one: Child): Promise<void> {
  one.process.kill('SIGKILL')
  await one.end
}

export async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-store-'))
  try {
    await body(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}
