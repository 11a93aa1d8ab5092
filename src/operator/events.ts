import type { Problem } from '../core/problem.ts'
import type { RunEvent } from '../core/run/events.ts'
import type { RunState } from '../core/run/state.ts'
import { taskByKey } from '../core/run/state.ts'
import { failureOf } from '../core/run/words.ts'
import type { ClusterEvent, ClusterObject, KindName, ObjectRef } from './cluster.ts'
import { shortened } from './conditions.ts'
import { keyOf, shortHash } from './names.ts'
import type { OperatorParts } from './parts.ts'
import { problemText } from './problem-text.ts'

/** An Event's note has at most 1,024 bytes. */
const NOTE_LENGTH_MAX = 300
/** Events about the tasks of one run. */
const PER_RUN_MAX = 20
/** Runs whose Events are counted. */
const RUNS_MAX = 10_000
/** Events at once, and then so many a second, over all. */
const BURST = 100
const PER_SECOND = 20
/** What is told of a run before its DagRun is there waits for it. */
const HELD_MAX = 1_000

type Told = Pick<ClusterEvent, 'type' | 'reason' | 'action' | 'note' | 'at'> & { readonly key: string }

/** Tells what happened as Events, for `kubectl describe`. They are a courtesy: few, bounded, and lost without harm. */
export class EventTeller {
  readonly #parts: OperatorParts
  readonly #objectOf: (key: string) => ClusterObject | undefined
  readonly #told = new Map<string, number>()
  readonly #held = new Map<string, Told[]>()
  readonly #sending = new Set<Promise<void>>()
  #tokens = BURST
  #filledAt: number

  constructor(parts: OperatorParts, objectOf: (key: string) => ClusterObject | undefined) {
    this.#parts = parts
    this.#objectOf = objectOf
    this.#filledAt = parts.clock.now()
  }

  /** Facts of a run, as the engine tells them. */
  facts(state: RunState, events: readonly RunEvent[]): void {
    const { namespace, run } = state.created
    const key = keyOf(namespace, run)
    for (const event of events) {
      const told = eventOf(state, event)
      if (told === null || this.#isTooMuch(key, told)) continue
      const object = this.#objectOf(key)
      if (object !== undefined) this.#send('DagRun', object.metadata, told)
      else if (state.created.parent === null) this.#hold(key, told)
      if (event.type === 'runSettled') this.#told.delete(key)
    }
  }

  /** The DagRun of a run is there. */
  appeared(key: string, object: ClusterObject): void {
    const held = this.#held.get(key)
    if (held === undefined) return
    this.#held.delete(key)
    for (const told of held) this.#send('DagRun', object.metadata, told)
  }

  dagRead(object: ClusterObject, problems: readonly Problem[]): void {
    if (!problems.some(({ severity }) => severity === 'error')) return
    const { reason, message } = problemText(problems)
    this.rejected('DAG', object, reason, message)
  }

  rejected(kind: KindName, object: ClusterObject, reason: string, message: string): void {
    const { generation } = object.metadata
    const at = this.#parts.clock.now()
    const key = `${generation}/${reason}`
    this.#send(kind, object.metadata, { type: 'Warning', reason, action: 'Check', note: message, at, key })
  }

  async close(): Promise<void> {
    await Promise.all(this.#sending)
  }

  #isTooMuch(key: string, { action }: Told): boolean {
    if (action !== 'Task') return false
    if (this.#told.size >= RUNS_MAX) this.#told.clear()
    const count = (this.#told.get(key) ?? 0) + 1
    this.#told.set(key, count)
    return count > PER_RUN_MAX
  }

  #hold(key: string, told: Told): void {
    const [oldest] = this.#held.keys()
    if (this.#held.size >= HELD_MAX && oldest !== undefined) this.#held.delete(oldest)
    this.#held.set(key, [...(this.#held.get(key) ?? []), told])
  }

  #send(kind: KindName, about: ObjectRef, { key, ...event }: Told): void {
    if (!this.#takeToken()) return
    const { namespace, name, uid } = about
    const sending = this.#parts.cluster
      .createEvent({
        ...event,
        note: shortened(event.note, NOTE_LENGTH_MAX),
        kind,
        about: { namespace, name, uid },
        name: `${name.slice(0, 200)}.${shortHash(`${uid}/${key}`)}`,
      })
      .catch((error: unknown) => this.#parts.trouble('EVENT_NOT_TOLD', `${kind} ${name}: ${String(error)}`))
      .finally(() => this.#sending.delete(sending))
    this.#sending.add(sending)
  }

  #takeToken(): boolean {
    const now = this.#parts.clock.now()
    const passed = Math.max(0, now - this.#filledAt)
    this.#tokens = Math.min(BURST, this.#tokens + (passed / 1000) * PER_SECOND)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}

/** What of a run's facts is worth an Event. */
export function eventOf(state: RunState, event: RunEvent): Told | null {
  const about = { at: event.at }
  switch (event.type) {
    case 'runCreated': {
      const note = `run ${event.run} of the DAG ${event.dag} began (${event.trigger.kind})`
      return { ...about, type: 'Normal', reason: 'Started', action: 'Run', note, key: 'created' }
    }
    case 'runPaused':
    case 'runResumed': {
      const reason = event.type === 'runPaused' ? 'Paused' : 'Resumed'
      const note = `${reason.toLowerCase()} by ${event.by}`
      return { ...about, type: 'Normal', reason, action: 'Run', note, key: `${event.type}/${event.at}` }
    }
    case 'stopRequested': {
      const note = `it is stopped: ${event.why} (${event.by})`
      return { ...about, type: 'Normal', reason: 'Stopping', action: 'Run', note, key: `stop/${event.at}` }
    }
    case 'attemptEnded': {
      if (event.outcome.kind === 'succeeded' || event.outcome.kind === 'cancelled') return null
      const reason = event.next.kind === 'retry' ? 'TaskRetried' : 'TaskFailed'
      const failure = failureOf(taskByKey(state, event.task))
      const code = ` (${event.outcome.reason})`
      const note = `${shortened(`${event.task} ${failure}`, NOTE_LENGTH_MAX - code.length)}${code}`
      const key = `${event.task}/${event.attempt}`
      return { ...about, type: 'Warning', reason, action: 'Task', note, key }
    }
    case 'runSettled': {
      const reason = `${event.phase.charAt(0).toUpperCase()}${event.phase.slice(1)}`
      const type = event.phase === 'failed' ? 'Warning' : 'Normal'
      const note = event.message === '' ? `the run has ${event.phase}` : event.message
      return { ...about, type, reason, action: 'Run', note, key: 'settled' }
    }
    default:
      return null
  }
}
