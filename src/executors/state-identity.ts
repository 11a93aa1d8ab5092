import { randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from './error-code.ts'

/**
 * Names a state directory for ever, wherever it is moved: containers of another one are never touched. Made once;
 * of two processes that make it at the same time both read the one that was there first.
 */
export function stateIdentity(stateDir: string): string {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const file = join(stateDir, 'state-id')
  const draft = `${file}.${randomUUID()}`
  for (;;) {
    try {
      return readFileSync(file, 'utf8').trim()
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
    writeFileSync(draft, `${randomUUID()}\n`, { mode: 0o600 })
    try {
      linkSync(draft, file)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    } finally {
      rmSync(draft, { force: true })
    }
  }
}
