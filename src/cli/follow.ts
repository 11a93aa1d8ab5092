import { stripVTControlCharacters } from 'node:util'
import type { RunEvent } from '../core/run/events.ts'
import { type RunState, isTerminal } from '../core/run/state.ts'
import type { Environment } from './settings.ts'
import { eventLines } from './show/lines.ts'
import { painter, textWidth } from './show/text.ts'
import { treeLines } from './show/tree.ts'

/** How a run is shown while it goes: a tree that is redrawn, plain lines, or one JSON event a line. */
export interface Follower {
  events(state: RunState, events: readonly RunEvent[]): void
  /** A line beside the progress, such as a warning. */
  say(text: string): void
  end(state: RunState | null): void
}

export type FollowFormat = 'tree' | 'lines' | 'json' | 'none'

export function follower(format: FollowFormat, environment: Environment, now: () => number): Follower {
  switch (format) {
    case 'tree':
      return new LiveTree(environment, now)
    case 'lines':
      return plainLines(environment)
    case 'json':
      return {
        events: (state, events) =>
          events.forEach(event =>
            process.stdout.write(`${JSON.stringify({ run: state.created.run, ...event })}\n`),
          ),
        say: text => process.stderr.write(`${text}\n`),
        end: () => undefined,
      }
    case 'none':
      return { events: () => undefined, say: text => process.stderr.write(`${text}\n`), end: () => undefined }
  }
}

function plainLines(environment: Environment): Follower {
  const paint = painter(environment.color)
  return {
    events(state, events) {
      for (const event of events)
        for (const line of eventLines(state, event, paint)) process.stdout.write(`${line}\n`)
    },
    say: text => process.stdout.write(`${text}\n`),
    end: () => undefined,
  }
}

const SHOW_CURSOR = '\u001b[?25h'
const HIDE_CURSOR = '\u001b[?25l'
/** Terminals that know it show a frame only when it is whole. */
const FRAME_BEGIN = '\u001b[?2026h'
const FRAME_END = '\u001b[?2026l'
const FRAME_MS = 80
/** Drawing costs a look at every task, so a huge run is drawn less often. */
const HUGE_FRAME_MS = 500
const HUGE_TASKS = 2_000

/** Redraws a few times a second over what was drawn before; what was drawn last stays when the run is over. */
class LiveTree implements Follower {
  readonly #environment: Environment
  readonly #now: () => number
  #state: RunState | null = null
  #drawn: readonly string[] = []
  #frame = 0
  #timer: NodeJS.Timeout | null = null

  constructor(environment: Environment, now: () => number) {
    this.#environment = environment
    this.#now = now
  }

  events(state: RunState): void {
    this.#state = state
    if (this.#timer !== null) return
    // Whatever ends the process, the cursor comes back.
    process.on('exit', showCursor)
    process.stdout.write(HIDE_CURSOR)
    const interval = state.tasks.length > HUGE_TASKS ? HUGE_FRAME_MS : FRAME_MS
    this.#timer = setInterval(() => this.#draw([]), interval)
  }

  say(text: string): void {
    if (this.#state === null) process.stdout.write(`${text}\n`)
    else this.#draw(text.split('\n'))
  }

  end(state: RunState | null): void {
    this.#state = state ?? this.#state
    if (this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
    this.#draw([])
    process.off('exit', showCursor)
    showCursor()
  }

  /** Each line is overwritten and its rest cleared, so that nothing is ever blank in between. */
  #draw(before: readonly string[]): void {
    if (this.#state === null) return
    const { color, columns, rows } = this.#environment
    this.#frame += 1
    const [headline, ...tree] = treeLines(this.#state, this.#now(), {
      paint: painter(color),
      columns: columns - 1,
      // One line for the cursor below, one for what a person types.
      rows: rows - 2,
      frame: this.#frame,
    })
    // Of a run that is over, the summary below says what the headline would.
    const lines = isTerminal(this.#state.phase) ? tree : [headline ?? '', ...tree]
    const up = rowsOf(this.#drawn, columns)
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
