import { DISORDER_MS, type LogPlace } from './log-cursor.ts'

const NEWLINE = 10
const SPACE = 32
/** `2006-01-02T15:04:05.000000000Z`, or with `+02:00` for the `Z`. */
const STAMP_BYTES = 30
const STAMP_BYTES_MAX = 35
const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/

/**
 * Of a line without an end so much is held back: what follows may be words of the kubelet instead of the
 * container's.
 */
export const HELD_BYTES_MAX = 64 * 1024
const HELD_BYTES_LEAST = 1024
/** What the node's own file has in front of each line: time, stream, tag. */
const FILE_PREFIX_BYTES = 42

const NOISE_BYTES = 1000

const NOTHING = Buffer.alloc(0)

/** How the search for the place to read on went. */
export type Search = 'searching' | 'found' | 'lost'

/**
 * Takes a container's own bytes out of what the kubelet sends with `timestamps=true`: every line with a time in front.
 *
 * What is known of the kubelet (cri-client `logs.go`, 1.36, and containerd `logger.go`, 2.2):
 * - The time stands where the container's own line begins. Lines beyond 16 KiB are kept in parts, each with a time
 *   of its own in the file, but only the first is shown.
 * - `sinceTime` passes over parts, not over lines: an answer may begin in the middle of a line, without a time.
 * - A last line without an end has none here either. The same is seen while a long line is still being written.
 * - An error on the way is written behind what was sent already, as plain text; so is one at the very beginning, as the
 *   answer's head is sent first (`kubelet_pods.go`, `GetKubeletContainerLogs`: a write of no bytes).
 */
export class LogLines {
  readonly #from: LogPlace | null
  readonly #wanted: Buffer
  readonly #giveUpMs: number
  /** An answer from a certain time on may begin in the middle of a line. */
  #mayBeginInside: boolean
  #search: Search
  /** Neighbouring lines with the wanted time, so far. */
  #matches = 0
  #lastSecond = ''
  /** Bytes at the end of a chunk that may be half a time. */
  #carry: Buffer = NOTHING
  #inLine = false
  /** Whether the line at hand is copied, passed over, or copied after so many bytes of it. */
  #skip: 'none' | 'line' | number = 'none'
  #held: Buffer[] = []
  #heldBytes = 0
  /** Time of the line at hand, its rank among its neighbours, and bytes of it that were given out. */
  #stamp: Buffer = NOTHING
  #rank = 0
  #given = 0
  /** Place before this line: where it began to read, or the last whole line. */
  readonly #already: LogPlace | null
  /** Bytes of the first line that may have been copied already, as the rest of one that began in an earlier file. */
  #copiedMost: number
  #doneStamp: Buffer = NOTHING
  #doneRank = 0
  #noise: Buffer | null = null
  #first: string | null = null
  #fileBytes = 0

  /**
   * @param from     Reads on behind this place; null copies everything.
   * @param whole    Whether the answer begins where the file does.
   * @param already  The place that was reached before, to be told until there is a new one. When it is inside of a
   *                 line, a follower may have been led on into this file without a time to tell it by: so much of the
   *                 first line is passed over, that nothing comes twice.
   */
  constructor(from: LogPlace | null, whole = from === null, already: LogPlace | null = from) {
    this.#mayBeginInside = !whole
    this.#from = from
    this.#already = already
    this.#copiedMost = from === null ? (already?.part ?? 0) : 0
    this.#wanted = from === null ? NOTHING : Buffer.from(from.at, 'latin1')
    this.#giveUpMs = from === null ? 0 : Date.parse(from.at) + DISORDER_MS
    this.#search = from === null ? 'found' : 'searching'
  }

  /** `lost`: the place is not there, and will not come. */
  get search(): Search {
    return this.#search
  }

  /**
   * Words that are not the container's, where a line should begin; null when there were none. Nothing behind them
   * can be trusted.
   */
  get noise(): string | null {
    return this.#noise?.toString('latin1') ?? null
  }

  /** The bytes so far end inside of a time: or in words that are too short to tell. */
  get cut(): boolean {
    return this.#carry.length > 0
  }

  /** Time of the first line that was copied. */
  get first(): string | null {
    return this.#first
  }

  /** What the lines that were copied take in the node's own file, about. */
  get fileBytes(): number {
    return this.#fileBytes
  }

  /** Where to read on once everything given out is safe; null before the first byte. */
  get place(): LogPlace | null {
    const passes = typeof this.#skip === 'number'
    if (this.#given > 0 && !passes)
      return { at: this.#stamp.toString('latin1'), lines: this.#rank, part: this.#given }
    if (this.#doneRank === 0) return this.#already
    return { at: this.#doneStamp.toString('latin1'), lines: this.#doneRank, part: null }
  }

  /** What comes out of a chunk. */
  take(chunk: Uint8Array): Buffer {
    const came = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    const bytes = this.#carry.length === 0 ? came : Buffer.concat([this.#carry, came])
    this.#carry = NOTHING
    const most = bytes.length + this.#heldBytes
    let out: Buffer | null = null
    let filled = 0
    const give = (from: Buffer, start: number, end: number): void => {
      out ??= Buffer.allocUnsafe(most)
      filled += from.copy(out, filled, start, end)
    }
    for (let at = 0; at < bytes.length && this.#noise === null && this.#search !== 'lost'; ) {
      if (!this.#inLine) {
        const end = stampEnd(bytes, at)
        if (end === CUT) {
          this.#carry = Buffer.from(bytes.subarray(at))
          break
        }
        if (end === NONE && !this.#mayBeginInside) {
          this.#noise = Buffer.from(bytes.subarray(at, at + NOISE_BYTES))
          break
        }
        this.#mayBeginInside = false
        this.#begin(bytes, at, end)
        at = end === NONE ? at : end + 1
        continue
      }
      const newline = bytes.indexOf(NEWLINE, at)
      this.#text(bytes, at, newline, give)
      at = newline === -1 ? bytes.length : newline + 1
    }
    return (out ?? NOTHING).subarray(0, filled)
  }

  /** The container has ended and everything was sent: what was held back is its last line, without an end. */
  end(): Buffer {
    const rest = Buffer.concat(this.#held)
    this.#given += rest.length
    this.#held = []
    this.#heldBytes = 0
    return rest
  }

  /** Bytes of a last line without an end are held back. */
  get unfinished(): boolean {
    return this.#heldBytes > 0
  }

  #begin(bytes: Buffer, start: number, end: number): void {
    this.#inLine = true
    this.#skip = 'line'
    if (end === NONE) return
    const same =
      end - start === this.#stamp.length && bytes.compare(this.#stamp, 0, end - start, start, end) === 0
    this.#rank = same ? this.#rank + 1 : 1
    if (!same) this.#stamp = Buffer.from(bytes.subarray(start, end))
    if (this.#search === 'found') {
      this.#skip = this.#copiedMost > 0 ? this.#copiedMost : 'none'
      this.#given = this.#copiedMost
      this.#copiedMost = 0
      this.#first ??= this.#stamp.toString('latin1')
      this.#fileBytes += FILE_PREFIX_BYTES
    } else this.#look(same)
  }

  #look(same: boolean): void {
    const from = this.#from
    if (from === null) return
    if (this.#stamp.equals(this.#wanted)) {
      this.#matches += 1
      if (this.#matches < from.lines) return
      this.#search = 'found'
      this.#skip = from.part ?? 'line'
      this.#rank = from.lines
      this.#given = from.part ?? 0
      return
    }
    this.#matches = 0
    if (same) return
    const stamp = this.#stamp.toString('latin1')
    const second = stamp.slice(0, 19)
    if (second === this.#lastSecond) return
    this.#lastSecond = second
    if (Date.parse(stamp) > this.#giveUpMs) this.#search = 'lost'
  }

  /** Text of the line at hand, up to `newline`, or to the end of the chunk when that is -1. */
  #text(
    bytes: Buffer,
    start: number,
    newline: number,
    give: (from: Buffer, start: number, end: number) => void,
  ): void {
    const end = newline === -1 ? bytes.length : newline + 1
    let from = start
    if (this.#skip === 'line') from = end
    else if (this.#skip !== 'none') {
      // A line that ends before what was copied of it is not the line that it was; its end is all that can be kept.
      const text = newline === -1 ? end : newline
      from = Math.min(start + this.#skip, text)
      this.#skip = newline === -1 && start + this.#skip > text ? this.#skip - (text - start) : 'none'
    }
    this.#fileBytes += end - (this.#from === null ? start : from)
    if (newline === -1) {
      if (from < end) this.#hold(bytes, from, end, give)
      return
    }
    for (const held of this.#held) give(held, 0, held.length)
    this.#held = []
    this.#heldBytes = 0
    give(bytes, from, end)
    this.#inLine = false
    this.#given = 0
    if (this.#search === 'found') {
      this.#doneStamp = this.#stamp
      this.#doneRank = this.#rank
    }
    this.#skip = 'none'
  }

  #hold(
    bytes: Buffer,
    start: number,
    end: number,
    give: (from: Buffer, start: number, end: number) => void,
  ): void {
    this.#held.push(Buffer.from(bytes.subarray(start, end)))
    this.#heldBytes += end - start
    if (this.#heldBytes <= HELD_BYTES_MAX) return
    const all = Buffer.concat(this.#held)
    const rest = all.length - HELD_BYTES_LEAST
    give(all, 0, rest)
    this.#given += rest
    this.#held = [Buffer.from(all.subarray(rest))]
    this.#heldBytes = HELD_BYTES_LEAST
  }
}

const NONE = -1
const CUT = -2

/** Where the space behind a line's time is; `CUT` when the bytes end before it, `NONE` when there is no time. */
function stampEnd(bytes: Buffer, start: number): number {
  const fixed = bytes[start + STAMP_BYTES] === SPACE
  const end = fixed ? start + STAMP_BYTES : bytes.indexOf(SPACE, start)
  if (end === -1 || end - start > STAMP_BYTES_MAX)
    return bytes.length - start <= STAMP_BYTES_MAX && bytes.indexOf(NEWLINE, start) === -1 ? CUT : NONE
  return STAMP.test(bytes.toString('latin1', start, end)) ? end : NONE
}
