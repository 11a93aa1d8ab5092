import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { attemptPath, logName } from '../../core/run/attempt-path.ts'
import type { LogRef, LogSpool } from '../../ports/logs.ts'
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
  }
}
