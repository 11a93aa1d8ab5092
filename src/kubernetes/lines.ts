const NEWLINE = 0x0a

/**
 * Cuts a stream of bytes into lines. Each byte is looked at once and copied at most once, however the chunks fall, so a
 * long line in many small chunks costs no more than a short one.
 */
export interface LineSplitter {
  /** Takes in a chunk and calls `line` for each line that is whole by now, without its end. Skips empty lines. */
  push(chunk: Buffer, line: (line: Buffer) => void): void
  /** Bytes of the line that is not whole yet. */
  readonly pending: number
}

/** @throws {LineTooLong} From `push`, when a line grows beyond `bytesMax`. */
export function lineSplitter(bytesMax: number): LineSplitter {
  let parts: Buffer[] = []
  let pending = 0
  return {
    get pending() {
      return pending
    },
    push(chunk, line) {
      let start = 0
      for (;;) {
        const end = chunk.indexOf(NEWLINE, start)
        const length = (end === -1 ? chunk.length : end) - start
        if (pending + length > bytesMax) throw new LineTooLong(bytesMax)
        if (end === -1) break
        const piece = chunk.subarray(start, end)
        start = end + 1
        if (pending === 0) {
          if (piece.length > 0) line(piece)
          continue
        }
        const whole = Buffer.concat([...parts, piece], pending + piece.length)
        parts = []
        pending = 0
        line(whole)
      }
      if (start < chunk.length) {
        parts.push(chunk.subarray(start))
        pending += chunk.length - start
      }
    },
  }
}

export class LineTooLong extends Error {
  readonly code = 'LINE_TOO_LONG'

  constructor(bytesMax: number) {
    super(`a line is longer than ${bytesMax} bytes`)
  }
}
