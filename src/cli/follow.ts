import type { RunEvent } from '../core/run/events.ts'
import type { RunState } from '../core/run/state.ts'
import type { Environment } from './settings.ts'
import { eventLines } from './show/lines.ts'
import { painter } from './show/text.ts'
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

/** Redraws at most every 80 ms; what was drawn last stays when the run is over. */
class LiveTree implements Follower {
  readonly #environment: Environment
  readonly #now: () => number
  #state: RunState | null = null
  #drawn = 0
  #frame = 0
  #timer: NodeJS.Timeout | null = null

  constructor(environment: Environment, now: () => number) {
    this.#environment = environment
    this.#now = now
  }

  events(state: RunState): void {
    this.#state = state
    this.#timer ??= setInterval(() => this.#draw(), 80)
  }

  say(text: string): void {
    this.#erase()
    process.stdout.write(`${text}\n`)
    this.#draw()
  }

  end(state: RunState | null): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#state = state ?? this.#state
    this.#draw()
    process.stdout.write('\u001b[?25h')
  }

  #draw(): void {
    if (this.#state === null) return
    const { color, columns, rows } = this.#environment
    this.#frame += 1
    const lines = treeLines(this.#state, this.#now(), {
      paint: painter(color),
      columns,
      rows,
      frame: this.#frame,
    })
    this.#erase()
    process.stdout.write(`\u001b[?25l${lines.join('\n')}\n`)
    this.#drawn = lines.length
  }

  #erase(): void {
    if (this.#drawn > 0) process.stdout.write(`\u001b[${this.#drawn}A\u001b[0J`)
    this.#drawn = 0
  }
}
