import { constants } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Json } from '../../core/json.ts'
import { codeOf } from './error-code.ts'

/** Where a log's files are. */
export interface LogPlace {
  readonly folder: string
  readonly name: string
}

/** What is known to be durable of a log; kept in a file beside it. */
export interface Mark {
  /** Whatever the log's file holds beyond them was never promised. */
  readonly bytes: number
  readonly cursor: Json
  readonly complete: boolean
}

const NOTHING: Mark = { bytes: 0, cursor: null, complete: false }

/** Names of logs begin with `log`, so no log can have this one. */
const markPath = (place: LogPlace): string => join(place.folder, `.${place.name}.json`)

/** What was marked last; nothing when there is no mark yet. */
export async function readMark(place: LogPlace): Promise<Mark> {
  try {
    return parseMark(await readFile(markPath(place), 'utf8'))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return NOTHING
    throw error
  }
}

/** Replaces the mark at one stroke: after a crash there is the old one or the new one. */
export async function writeMark(place: LogPlace, mark: Mark): Promise<void> {
  const path = markPath(place)
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants
  const file = await open(`${path}.new`, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
  try {
    await file.writeFile(JSON.stringify(mark))
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  await syncFolder(place.folder)
}

export async function removeMark(place: LogPlace): Promise<void> {
  await rm(markPath(place), { force: true })
}

/** Makes the names in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const file = await open(folder, constants.O_RDONLY)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A mark is replaced atomically, so one that does not read was damaged by other hands: the log begins anew. */
function parseMark(text: string): Mark {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return NOTHING
  }
  if (typeof value !== 'object' || value === null) return NOTHING
  const { bytes, cursor, complete } = value as Partial<Record<keyof Mark, unknown>>
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) return NOTHING
  return { bytes, cursor: (cursor ?? null) as Json, complete: complete === true }
}
