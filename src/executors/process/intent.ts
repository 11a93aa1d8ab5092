import { constants, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * What is made durable before an attempt's launcher is spawned: under which boot of the machine that was, and what is
 * needed to tell its end without the specification. After a power cut the claim may be missing from the disk though
 * the task had begun; the intent is there, so the attempt is reported as lost rather than started again.
 */
export interface Intent {
  readonly boot: string
  readonly outputs: readonly string[]
}

/** Null when there is none, or when its writing was cut off (nothing had been started then). */
export function readIntent(folder: string): Intent | null {
  try {
    return JSON.parse(readFileSync(join(folder, 'intent'), 'utf8')) as Intent
  } catch {
    return null
  }
}

/**
 * Writes the intent and waits for the disk. Neither truncated nor renamed: engines of one boot write the same bytes to
 * the same place, so another one that reads it at this moment does not find it missing.
 */
export async function recordIntent(folder: string, intent: Intent): Promise<void> {
  const file = await open(join(folder, 'intent'), constants.O_RDWR | constants.O_CREAT, 0o600)
  try {
    await file.write(JSON.stringify(intent), 0)
    await file.sync()
  } finally {
    await file.close()
  }
}
