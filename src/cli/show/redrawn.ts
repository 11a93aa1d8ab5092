import { stripVTControlCharacters } from 'node:util'
import type { Environment } from '../settings.ts'
import { textWidth } from './text.ts'

const SHOW_CURSOR = '\u001b[?25h'
const HIDE_CURSOR = '\u001b[?25l'
/** Terminals that know it show a frame only when it is whole. */
const FRAME_BEGIN = '\u001b[?2026h'
const FRAME_END = '\u001b[?2026l'

/** A picture in a terminal that is drawn over and over; what was drawn last stays. */
export class Redrawn {
  readonly #environment: Environment
  readonly #linesOf: (frame: number) => readonly string[] | null
  #drawn: readonly string[] = []
  #frame = 0
  #timer: NodeJS.Timeout | null = null

  /** @param linesOf  The picture now; null when there is none yet. */
  constructor(environment: Environment, linesOf: (frame: number) => readonly string[] | null) {
    this.#environment = environment
    this.#linesOf = linesOf
  }

  /** Draws from now on every so often. */
  start(intervalMs: number): void {
    if (this.#timer !== null) return
    // Whatever ends the process, the cursor comes back.
    process.on('exit', showCursor)
    process.stdout.write(HIDE_CURSOR)
    this.#timer = setInterval(() => this.#draw([]), intervalMs)
  }

  /** A text above the picture. */
  say(text: string): void {
    if (this.#timer === null) process.stdout.write(`${text}\n`)
    else this.#draw(text.split('\n'))
  }

  stop(): void {
    if (this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
    this.#draw([])
    process.off('exit', showCursor)
    showCursor()
  }

  /** Each line is overwritten and its rest cleared, so that nothing is ever blank in between. */
  #draw(before: readonly string[]): void {
    this.#frame += 1
    const lines = this.#linesOf(this.#frame)
    if (lines === null) {
      for (const text of before) process.stdout.write(`${text}\n`)
      return
    }
    const up = rowsOf(this.#drawn, this.#environment.columns)
    const text = [...before, ...lines].map(line => `${line}\u001b[K\n`).join('')
    process.stdout.write(`${FRAME_BEGIN}${up > 0 ? `\u001b[${up}A` : ''}\r${text}\u001b[J${FRAME_END}`)
    this.#drawn = lines
  }
}

/** How many rows lines take now: a window that became narrower has wrapped them. */
function rowsOf(lines: readonly string[], columns: number): number {
  return lines.reduce(
    (rows, line) => rows + Math.max(1, Math.ceil(textWidth(stripVTControlCharacters(line)) / columns)),
    0,
  )
}

const showCursor = (): void => {
  process.stdout.write(SHOW_CURSOR)
}
