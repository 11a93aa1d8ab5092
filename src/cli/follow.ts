import type { RunEvent } from '../core/run/events.ts'
import { type RunState, isTerminal } from '../core/run/state.ts'
import type { Environment } from './settings.ts'
import { eventLines } from './show/lines.ts'
import { Redrawn } from './show/redrawn.ts'
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

const FRAME_MS = 80
/** Drawing costs a look at every task, so a huge run is drawn less often. */
const HUGE_FRAME_MS = 500
const HUGE_TASKS = 2_000

/** Redraws a few times a second over what was drawn before; what was drawn last stays when the run is over. */
class LiveTree implements Follower {
  readonly #picture: Redrawn
  #state: RunState | null = null

  constructor(environment: Environment, now: () => number) {
    this.#picture = new Redrawn(environment, frame =>
      this.#state === null ? null : linesOf(this.#state, now(), environment, frame),
    )
  }

  events(state: RunState): void {
    this.#state = state
    this.#picture.start(state.tasks.length > HUGE_TASKS ? HUGE_FRAME_MS : FRAME_MS)
  }

  say(text: string): void {
    this.#picture.say(text)
  }

  end(state: RunState | null): void {
    this.#state = state ?? this.#state
    this.#picture.stop()
  }
}

function linesOf(
  state: RunState,
  now: number,
  { color, columns, rows }: Environment,
  frame: number,
): readonly string[] {
  const [headline, ...tree] = treeLines(state, now, {
    paint: painter(color),
    columns: columns - 1,
    // One line for the cursor below, one for what a person types.
    rows: rows - 2,
    frame,
  })
  // Of a run that is over, the summary below says what the headline would.
  return isTerminal(state.phase) ? tree : [headline ?? '', ...tree]
}
