import { opendir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { attemptPath, logName, logOfPath } from '../../core/run/attempt-path.ts'
import type { LogRef, LogSpool } from '../../ports/logs.ts'
import { codeOf } from './error-code.ts'
import { createFilesystemLogs } from './logs.ts'
import { readMark, removeMark } from './mark.ts'
import { openLogWriter } from './writer.ts'

/**
 * Logs that are fetched from elsewhere and kept as files: the same places as those that tasks of this machine write
 * themselves, so that one reader reads both.
 */
export function createFilesystemLogStore(stateDir: string): LogSpool {
  const place = (log: LogRef) => ({
    folder: join(stateDir, attemptPath(log.run, log.task, log.attempt)),
    name: logName(log.container),
  })
  return {
    ...createFilesystemLogs(stateDir),
    writer: log => openLogWriter(place(log)),
    isComplete: async log => (await readMark(place(log))).complete,
    async discard(log) {
      const { folder, name } = place(log)
      await rm(join(folder, name), { force: true })
      await removeMark(place(log))
    },
    async *list() {
      for await (const path of filesBelow(stateDir, 'runs')) {
        const log = logOfPath(path)
        if (log !== null) yield { log, complete: (await readMark(place(log))).complete }
      }
    },
  }
}

/** Paths of files, one folder after the other. Nobody's files beside the logs are looked at. */
async function* filesBelow(stateDir: string, path: string): AsyncGenerator<string> {
  const folder = await opendir(join(stateDir, path)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  })
  const folders: string[] = []
  for await (const entry of folder ?? []) {
    const below = `${path}/${entry.name}`
    if (entry.isFile()) yield below
    else if (entry.isDirectory() && entry.name !== 'workspace') folders.push(below)
  }
  for (const below of folders) yield* filesBelow(stateDir, below)
}
