import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { codeOf } from '../error-code.ts'
import { EngineUnreachable } from './client.ts'
import type { ContainerEngine } from './container-engine.ts'
import { frameReader } from './frames.ts'
import { kubeletLogReader } from './kubelet-log.ts'
import type { LogFile } from './log-file.ts'

/** Copies what a container said, from its beginning, to a log. */
export interface LogSource {
  /** What is there now; all of it when the container has ended. */
  copy(to: LogFile, signal: AbortSignal): Promise<void>
  /**
   * The same, and what comes until the container has ended. The signal stops it; with the reason {@link ENDED} it first
   * copies what is left. False when it broke off before the end.
   */
  follow(to: LogFile, signal: AbortSignal): Promise<boolean>
}

/** Reason of a signal: the container has ended, nothing more will come. */
export const ENDED = 'ended'

const READ_BYTES = 256 * 1024
const POLL_MS = 50

/** Docker gives its log over the socket. */
export function apiLog(engine: ContainerEngine, id: string): LogSource {
  const read = async (to: LogFile, follow: boolean, signal: AbortSignal): Promise<void> => {
    to.rewind()
    const payloads = frameReader()
    const answer = await engine.logs(id, follow, signal)
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>)
        for (const payload of payloads(chunk)) await to.write(payload)
    } catch (error) {
      if (codeOf(error) === 'ENOSPC' || signal.aborted) throw error
      throw new EngineUnreachable(`the log broke off: ${codeOf(error) || String(error)}`, true)
    }
  }
  return {
    copy: (to, signal) => read(to, false, signal),
    async follow(to, signal) {
      try {
        await read(to, true, signal)
        return true
      } catch (error) {
        if (signal.aborted || error instanceof EngineUnreachable) return false
        throw error
      }
    },
  }
}

/** Podman writes it to a file beside ours; it is whole when the container is `stopped`. */
export function fileLog(path: string): LogSource {
  const open_ = async (to: LogFile): Promise<Tail | null> => {
    to.rewind()
    try {
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
      return { file, position: 0, parts: kubeletLogReader(), buffer: Buffer.allocUnsafe(READ_BYTES) }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null
      throw error
    }
  }
  return {
    async copy(to, signal) {
      const tail = await open_(to)
      if (tail === null) return
      try {
        while (!signal.aborted && (await readOn(tail, to)));
      } finally {
        await tail.file.close()
      }
    },
    async follow(to, signal) {
      const tail = await open_(to)
      if (tail === null) return false
      try {
        for (;;) {
          if (signal.aborted && signal.reason !== ENDED) return false
          if (await readOn(tail, to)) continue
          if (signal.aborted) return true
          await pause(signal)
        }
      } finally {
        await tail.file.close()
      }
    },
  }
}

interface Tail {
  readonly file: FileHandle
  position: number
  readonly parts: (chunk: Buffer) => Buffer[]
  readonly buffer: Buffer
}

/** False at the end of what is there. */
async function readOn(tail: Tail, to: LogFile): Promise<boolean> {
  const { bytesRead } = await tail.file.read(tail.buffer, 0, READ_BYTES, tail.position)
  tail.position += bytesRead
  const parts = tail.parts(tail.buffer.subarray(0, bytesRead))
  if (parts.length > 0) await to.write(Buffer.concat(parts))
  return bytesRead > 0
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const over = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', over)
      resolve()
    }
    const timer = setTimeout(over, POLL_MS)
    signal.addEventListener('abort', over)
  })
}
