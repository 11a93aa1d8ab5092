import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open, readdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { attemptPath, logName, runPath } from '../../core/run/attempt-path.ts'
import type { LogArchive, LogRef } from '../../ports/logs.ts'
import { codeOf } from './error-code.ts'

/** Most bytes one `read` gives, whatever is asked for: memory stays flat for a log of any size. */
export const READ_BYTES_MAX = 8 * 1024 * 1024

const CONTAINER_LOG = /^log\.([a-z0-9-]+)$/

/**
 * The logs of attempts that ran on this machine: the very files that the tasks write. They may still grow; a reader
 * that follows one reads on from where it stopped.
 */
export function createFilesystemLogs(stateDir: string): LogArchive {
  return {
    async read(ref, offset, bytesMax) {
      const file = await openLog(stateDir, ref)
      if (file === null) return new Uint8Array()
      try {
        const { size } = await file.stat()
        const length = Math.max(0, Math.min(size - offset, bytesMax, READ_BYTES_MAX))
        const bytes = Buffer.allocUnsafe(length)
        let filled = 0
        while (filled < length) {
          const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled)
          if (bytesRead === 0) break
          filled += bytesRead
        }
        return bytes.subarray(0, filled)
      } finally {
        await file.close()
      }
    },

    async size(ref) {
      const file = await openLog(stateDir, ref)
      if (file === null) return null
      try {
        return (await file.stat()).size
      } finally {
        await file.close()
      }
    },

    async containers(attempt) {
      const folder = join(stateDir, attemptPath(attempt.run, attempt.task, attempt.attempt))
      try {
        const names = (await readdir(folder)).flatMap(name => CONTAINER_LOG.exec(name)?.[1] ?? [])
        return names.toSorted()
      } catch (error) {
        if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return []
        throw error
      }
    },

    async remove(run) {
      await removeAll(join(stateDir, runPath(run)))
    },
  }
}

/** Null when there is no log, or when what stands in its place is not a plain file in the attempt's own folder. */
async function openLog(stateDir: string, ref: LogRef): Promise<FileHandle | null> {
  const path = attemptPath(ref.run, ref.task, ref.attempt)
  let file: FileHandle
  try {
    // A task runs as the same user: it may have planted a link that leads to what the reader must not see.
    const folder = join(stateDir, path)
    if ((await realpath(folder)) !== join(await realpath(stateDir), path)) return null
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
    file = await open(join(folder, logName(ref.container)), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) return null
    throw error
  }
  if ((await file.stat()).isFile()) return file
  await file.close()
  return null
}

/** Removes a folder, also one whose parts a task has made read-only. Links are removed, never followed. */
async function removeAll(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true })
  } catch {
    await promisify(execFile)('chmod', ['-R', 'u+rwX', folder])
    await rm(folder, { recursive: true, force: true })
  }
}
