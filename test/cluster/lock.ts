import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { startOf } from './parts.ts'

const LOOK_MS = 100

/** Does the work while nobody else does work under the same file; one whose process has died is no longer there. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  while (!take(file)) {
    if (isAbandoned(file)) rmSync(file, { force: true })
    else await delay(LOOK_MS)
  }
  try {
    return await work()
  } finally {
    rmSync(file, { force: true })
  }
}

const holder = (pid: number): string => `${pid} ${startOf(pid)}`

function take(file: string): boolean {
  try {
    const opened = openSync(file, 'wx')
    writeSync(opened, holder(process.pid))
    closeSync(opened)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function isAbandoned(file: string): boolean {
  try {
    const said = readFileSync(file, 'utf8')
    // Empty: it is being written.
    return said !== '' && holder(Number(said.split(' ')[0])) !== said
  } catch {
    return false
  }
}
