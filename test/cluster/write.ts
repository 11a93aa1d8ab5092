import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/** Writes a file that is other than it is to be: parts of a cluster end, or start anew, when theirs is written again. */
export function writeChanged(file: string, text: string, mode = 0o644): void {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return
  writeFileSync(file, text, { mode })
}
