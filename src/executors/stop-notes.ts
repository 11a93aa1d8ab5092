import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from './error-code.ts'

/**
 * What engines did to stop an attempt, noted before they did it: for a launcher that is about to fork its task, and for
 * whoever finds the attempt dead and wonders why.
 */
export function noteStop(folder: string, word: 'TERM' | 'KILL'): void {
  appendFileSync(join(folder, 'stop'), `${word}\n`, { mode: 0o600 })
}

/** Empty when nobody tried to stop it. */
export function stopNotes(folder: string): string {
  try {
    return readFileSync(join(folder, 'stop'), 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  }
}
