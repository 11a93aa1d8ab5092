import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * What is needed to tell an attempt's end without its specification: the names of its outputs. Nothing depends on it
 * after a power cut, as what was started before one is lost; so it does not wait for the disk.
 */
export function noteOutputs(folder: string, outputs: readonly string[]): void {
  if (outputs.length > 0) writeFileSync(join(folder, 'outputs'), JSON.stringify(outputs), { mode: 0o600 })
}

/** None when there is no note. */
export function notedOutputs(folder: string): readonly string[] {
  try {
    return JSON.parse(readFileSync(join(folder, 'outputs'), 'utf8')) as string[]
  } catch {
    return []
  }
}
