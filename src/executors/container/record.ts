import { linkSync, readFileSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Outcome } from '../../core/run/events.ts'
import { codeOf } from '../error-code.ts'

/**
 * What decides an attempt: a file that comes into being once, whole, and is never changed
 * (`docs/adr/0006-container-start.md`). `record` says which container it is and who alone may start it, or that
 * there will never be one; `end` how it ended.
 */
export type ContainerRecord =
  | { readonly kind: 'none' }
  | { readonly kind: 'settled'; readonly outcome: Outcome; readonly at: number }
  | { readonly kind: 'claimed'; readonly claim: ContainerClaim }

export interface ContainerClaim {
  /** Id of the one container that this attempt is; ids are never used twice. */
  readonly container: string
  readonly owner: ClaimOwner
  /** Names of the outputs, so that the end can be told without the specification. */
  readonly outputs: readonly string[]
}

/** The process that sends the one request to start it. */
export interface ClaimOwner {
  readonly pid: number
  readonly processStart: string
  readonly bootId: string
  readonly host: string
  /** Tells one start from another of the same process. */
  readonly nonce: string
}

export interface RecordedOutcome {
  readonly outcome: Outcome
  readonly at: number
}

export interface RecordedEnd extends RecordedOutcome {
  /** Null when its container never ran. */
  readonly startedAt: number | null
}

type Line = { readonly claim: ContainerClaim } | { readonly settled: RecordedOutcome }

export function readRecord(folder: string): ContainerRecord {
  const line = read<Line>(join(folder, 'record'))
  if (line === null) return { kind: 'none' }
  return 'claim' in line ? { kind: 'claimed', claim: line.claim } : { kind: 'settled', ...line.settled }
}

/** False when the attempt was claimed or settled before, or its run was removed. */
export const claimRecord = (folder: string, claim: ContainerClaim): Promise<boolean> =>
  writeOnce(join(folder, 'record'), claim.owner.nonce, { claim } satisfies Line)

/** Settles an attempt that has no container, so that it never will have one that is started. */
export const settleRecord = (folder: string, nonce: string, settled: RecordedOutcome): Promise<boolean> =>
  writeOnce(join(folder, 'record'), nonce, { settled } satisfies Line)

export const readEnd = (folder: string): RecordedEnd | null => read<RecordedEnd>(join(folder, 'end'))

/** Records how it ended; the first word counts, so that everybody tells the same. */
export const recordEnd = (folder: string, nonce: string, end: RecordedEnd): Promise<boolean> =>
  writeOnce(join(folder, 'end'), nonce, end)

/**
 * A draft that is on the disk is linked to its name: of any number of writers one succeeds, and nobody ever reads half
 * a file. In a folder that was removed with its run nobody does.
 */
async function writeOnce(file: string, nonce: string, content: unknown): Promise<boolean> {
  const draft = `${file}.${nonce}`
  try {
    const handle = await open(draft, 'w', 0o600)
    try {
      await handle.write(JSON.stringify(content))
      await handle.sync()
    } finally {
      await handle.close()
    }
    linkSync(draft, file)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOENT') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

function read<Content>(file: string): Content | null {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null
    throw error
  }
  return JSON.parse(text) as Content
}
