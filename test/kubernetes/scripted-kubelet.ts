import {
  type ContainerLogRequest,
  type ContainerLogSource,
  LogUnavailable,
} from '../../src/executors/pod/log-source.ts'

/** containerd `max_container_log_line_size`. */
const LINE_BYTES_MAX = 16 * 1024

interface Entry {
  /** Nanoseconds since 1970. */
  readonly at: bigint
  readonly full: boolean
  readonly text: Buffer
}

/** One file of a container's log; `next` once it was rotated. */
interface LogFile {
  readonly entries: Entry[]
  next: LogFile | null
}

/** How a stream is spoiled. */
export interface Spoiling {
  /** After so many bytes of an answer, */
  readonly afterBytes: number
  /** it throws, ends as if all were well (an API server that lost its kubelet), or says a kubelet's last words. */
  readonly how: 'throws' | 'ends' | 'words' | 'away'
}

/**
 * One container's log as a kubelet 1.36 shows it. Each rule is from the source:
 *
 * - Lines are kept as `TIME STREAM P|F TEXT`; a line is one entry at its newline, or at each 16 KiB, or at the stream's end
 *   (then a `P`), each with the time of its writing (containerd 2.2, `internal/cri/io/logger.go`, `redirectLogs`).
 * - Only the newest file is opened; a follower goes on to the newest once it has read its own to the end, so that it can
 *   miss one in between (cri-client `pkg/logs/logs.go`, `ReadLogs`, `waitLogs`).
 * - A time stands in front of an entry only if the entry before it ended a line, also one that `sinceTime` passed over
 *   (`ReadLogs`: `isNewLine`; `logWriter.write`).
 * - `sinceTime` is in whole seconds (`pkg/registry/core/pod/strategy.go`, `LogLocation`, formats RFC 3339).
 * - A follower ends when the container has ended and its file is read, even if a newer one is there (`waitLogs` asks for
 *   the container first).
 * - An error on the way is written into the answer (`pkg/kubelet/server/server.go`, `getContainerLogs`), and an API server
 *   that loses the kubelet ends its answer cleanly (apiserver `responsewriters/writers.go`, `StreamObject`).
 */
export class ScriptedKubelet implements ContainerLogSource {
  #file: LogFile = { entries: [], next: null }
  readonly #rest = new Map<string, Buffer>()
  #last = 0n
  #said: Buffer[] = []
  #state: 'waiting' | 'running' | 'ended' | 'gone' = 'running'
  readonly #changed = new Set<() => void>()
  readonly requests: ContainerLogRequest[] = []
  readonly spoilings: Spoiling[] = []
  open_ = 0
  openMost = 0
  /** Sizes of the chunks of all answers, in turn. */
  chunkBytes: readonly number[] = [4096]
  zone = 'Z'

  /** Everything the container said, in the order of the node's files. */
  get said(): Buffer {
    return Buffer.concat(this.#said)
  }

  /** `at` in nanoseconds; times never repeat unless it says the same one. */
  write(stream: string, bytes: Buffer, at: bigint): void {
    let rest = Buffer.concat([this.#rest.get(stream) ?? Buffer.alloc(0), bytes])
    for (;;) {
      const newline = rest.indexOf(10)
      if (newline !== -1 && newline <= LINE_BYTES_MAX) {
        this.#enter(at, true, rest.subarray(0, newline))
        rest = rest.subarray(newline + 1)
      } else if (rest.length > LINE_BYTES_MAX) {
        this.#enter(at, false, rest.subarray(0, LINE_BYTES_MAX))
        rest = rest.subarray(LINE_BYTES_MAX)
      } else break
    }
    this.#rest.set(stream, rest)
    this.#wake()
  }

  rotate(): void {
    const next: LogFile = { entries: [], next: null }
    this.#file.next = next
    this.#file = next
    this.#wake()
  }

  end(): void {
    for (const rest of this.#rest.values()) if (rest.length > 0) this.#enter(this.#last + 1n, false, rest)
    this.#rest.clear()
    this.become('ended')
  }

  become(state: 'waiting' | 'running' | 'ended' | 'gone'): void {
    this.#state = state
    this.#wake()
  }

  /** What is in the newest file, in its own format. */
  get fileBytes(): number {
    return this.#file.entries.reduce((sum, { text }) => sum + text.length + 45, 0)
  }

  async open(request: ContainerLogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    this.requests.push(request)
    await Promise.resolve()
    if (this.#state === 'gone') throw new LogUnavailable('gone', 'unable to retrieve container logs')
    if (this.#state === 'waiting')
      throw new LogUnavailable('notStarted', 'is waiting to start: ContainerCreating')
    signal.throwIfAborted()
    return this.#cut(this.#answer(request, signal), request.follow, this.spoilings.shift())
  }

  #enter(at: bigint, full: boolean, text: Buffer): void {
    this.#last = at
    this.#file.entries.push({ at, full, text })
    this.#said.push(text, Buffer.from(full ? '\n' : ''))
  }

  #wake(): void {
    const waiting = [...this.#changed]
    for (const wake of waiting) wake()
  }

  async *#answer(request: ContainerLogRequest, signal: AbortSignal): AsyncGenerator<Buffer> {
    const since = request.sinceTime === undefined ? 0n : BigInt(Date.parse(request.sinceTime)) * 1_000_000n
    let file = this.#file
    let newLine = true
    this.open_ += 1
    this.openMost = Math.max(this.openMost, this.open_)
    try {
      for (let at = 0; ; ) {
        signal.throwIfAborted()
        const entry = file.entries[at]
        if (entry !== undefined) {
          at += 1
          const stamp = newLine ? `${stampOf(entry.at, this.zone)} ` : ''
          newLine = entry.full
          if (entry.at >= since)
            yield Buffer.concat([Buffer.from(stamp), entry.text, Buffer.from(entry.full ? '\n' : '')])
          continue
        }
        if (!request.follow || this.#state !== 'running') return
        if (file.next !== null) {
          file = this.#file
          at = 0
          continue
        }
        await new Promise<void>(resolve => {
          const wake = (): void => {
            this.#changed.delete(wake)
            signal.removeEventListener('abort', wake)
            resolve()
          }
          this.#changed.add(wake)
          signal.addEventListener('abort', wake)
        })
      }
    } finally {
      this.open_ -= 1
    }
  }

  async *#cut(
    answer: AsyncGenerator<Buffer>,
    follow: boolean,
    spoiling: Spoiling | undefined,
  ): AsyncGenerator<Buffer> {
    let left = spoiling?.afterBytes ?? Number.POSITIVE_INFINITY
    let turn = 0
    let newLine = true
    try {
      for await (const entry of answer) {
        // A kubelet stops between entries, and one that is not followed after a whole line.
        const between = left <= 0 && spoiling?.how === 'words'
        if (between && (follow || newLine)) {
          yield Buffer.from('failed to create fsnotify watcher: too many open files')
          return
        }
        newLine = entry.at(-1) === 10
        for (let rest = entry; rest.length > 0; turn += 1) {
          const bytes = this.chunkBytes[turn % this.chunkBytes.length] ?? 1
          const size = spoiling?.how === 'words' ? bytes : Math.min(bytes, left)
          if (size > 0) yield rest.subarray(0, size)
          left -= Math.min(size, rest.length)
          rest = rest.subarray(size)
          if (left > 0 || spoiling?.how === 'words') continue
          if (spoiling?.how === 'away') throw new LogUnavailable('away', 'no connection')
          if (spoiling?.how === 'throws') throw new Error('socket hang up')
          return
        }
      }
    } finally {
      await answer.return(undefined)
    }
  }
}

function stampOf(at: bigint, zone: string): string {
  const hours = zone === 'Z' ? 0 : Number.parseInt(zone.slice(0, 3), 10)
  const second = new Date(Number(at / 1_000_000_000n) * 1000 + hours * 3_600_000).toISOString().slice(0, 19)
  return `${second}.${String(at % 1_000_000_000n).padStart(9, '0')}${zone}`
}
