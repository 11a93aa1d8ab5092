import assert from 'node:assert/strict'
import { decide, nextDeadline } from '../../src/core/run/decide.ts'
import type { Outcome, RunEvent } from '../../src/core/run/events.ts'
import { evolve, replay } from '../../src/core/run/evolve.ts'
import { explainRun, explainTask } from '../../src/core/run/explain.ts'
import { observeEnded, observeRunning } from '../../src/core/run/observe.ts'
import { type RunRequest, answer } from '../../src/core/run/requests.ts'
import { type Room, decideStarts } from '../../src/core/run/starts.ts'
import {
  type RunState,
  type TaskState,
  isTerminal,
  lastAttempt,
  newRunState,
  poolOf,
} from '../../src/core/run/state.ts'
import type { AttemptRow, TaskRow } from '../../src/core/run/rows.ts'
import { attemptRow, takeChangedRows, taskRow } from '../../src/core/run/to-rows.ts'
import { decideAll, decideStartsAll, effectsOf, nextDeadlineAll } from './decide-all.ts'
import { checkInvariants, newWatch } from './invariants.ts'
import { PLAIN_LANGUAGE } from './plain-language.ts'
import type { EndKind, Scenario, What } from './scenarios.ts'

export interface Driven {
  readonly state: RunState
  readonly log: readonly RunEvent[]
}

export interface HowToDrive {
  /** Throw the state away before and after every answer of `decide`, and rebuild it from the log. */
  readonly restarts: boolean
  /** Compare every answer with the slow model and check the invariants after every event. */
  readonly checked: boolean
}

/** Lets everything in the scenario happen, then brings the run to its end. */
export function drive(scenario: Scenario, how: HowToDrive): Driven {
  const world = new World(scenario, how)
  for (const happening of scenario.happenings) world.let(happening)
  world.bringToEnd()
  return { state: world.state, log: world.log }
}

/** What of a state must be the same after a replay: all of it but the worklists. */
export function factsOf(state: RunState): unknown {
  const { work: _work, plan: _plan, byKey, tasks, reusedItems, ...rest } = state
  return {
    ...rest,
    byKey: [...byKey],
    reusedItems: [...reusedItems],
    tasks: tasks.map(task => {
      if (task.fan === null) return task
      const { next: _next, due: _due, ...fan } = task.fan
      return { ...task, fan }
    }),
  }
}

/** The engine of the tests: no promise, no store, no executor; only what the core says, applied at once. */
class World {
  state: RunState
  readonly log: RunEvent[]
  readonly #scenario: Scenario
  readonly #how: HowToDrive
  readonly #watch = newWatch()
  /** What a store would hold: rows as they were last written. */
  readonly #rows = new Map<string, TaskRow | AttemptRow>()
  #now = 0

  constructor(scenario: Scenario, how: HowToDrive) {
    this.#scenario = scenario
    this.#how = how
    this.log = [scenario.created]
    this.state = newRunState(scenario.dag, scenario.created)
    this.#settle()
  }

  let(happening: What & { readonly lateMs?: number }): void {
    if (isTerminal(this.state.phase)) return
    this.#now += happening.lateMs ?? 0
    for (const event of this.#eventsOf(happening)) this.#apply(event)
    this.#settle()
    if (this.#how.checked) this.#writeRows()
    if (this.#how.checked) this.#explainAll()
    if (!this.#how.restarts || isTerminal(this.state.phase)) return
    const { length } = this.log
    this.#settle()
    assert.equal(this.log.length, length, 'a rebuilt run has nothing new to say')
  }

  /** What a crash leaves: the log. Everything else is made from it again, and must be the same. */
  #rebuild(): void {
    if (!this.#how.restarts || isTerminal(this.state.phase)) return
    const replayed = replay(this.#scenario.dag, this.log)
    assert.deepEqual(factsOf(replayed), factsOf(this.state))
    this.state = replayed
  }

  /** Whatever is live ends, whatever is asked is answered: then nothing may be left to wait for. */
  bringToEnd(): void {
    for (let round = 0; !isTerminal(this.state.phase); round += 1) {
      assert.ok(round < 500, `the run never ends: ${this.#picture()}`)
      const version = this.state.version
      this.let({ kind: 'resume' })
      this.let({ kind: 'startRun' })
      while (this.#live().length > 0) this.let({ kind: 'ends', pick: 0, outcome: 'usual', agoMs: 0 })
      this.let({ kind: 'answer', pick: 0, approved: true })
      this.let({ kind: 'nextDeadline' })
      const undecided = this.state.tasks.some(({ reason }) => reason === 'WAITING_FOR_DECISION')
      if (this.state.version === version && undecided)
        this.let({ kind: 'cancel', skipFinally: false, replaced: false })
      if (this.state.version === version) {
        // The last resort of a task under `finally` whose outcome nobody knows.
        this.let({ kind: 'cancel', skipFinally: true, replaced: false })
        assert.ok(undecided, `the run is stuck: ${this.#picture()}`)
      }
    }
  }

  #eventsOf(happening: What): readonly RunEvent[] {
    switch (happening.kind) {
      case 'runs': {
        const live = chosen(this.#live(), happening.pick)
        return live === null
          ? []
          : observeRunning(this.state, live.key, attemptOf(live), this.#now, { pid: 7 })
      }
      case 'ends': {
        const live = chosen(this.#live(), happening.pick)
        if (live === null) return []
        const endedAt = this.#now - happening.agoMs
        const outcome = outcomeOf(happening.outcome === 'usual' ? this.#scenario.usualEnd : happening.outcome)
        return observeEnded(this.state, live.key, attemptOf(live), this.#now, outcome, endedAt)
      }
      case 'endsAgain': {
        const ended = chosen(this.state.tasks.filter(isEnded), happening.pick)
        if (ended === null) return []
        const late = observeEnded(this.state, ended.key, attemptOf(ended), this.#now, outcomeOf('exitCode'))
        assert.deepEqual(late, [], 'an end seen twice is no fact')
        return []
      }
      case 'time':
        this.#now += happening.ms
        return []
      case 'nextDeadline':
        this.#now = Math.max(this.#now, nextDeadline(this.state) ?? this.#now)
        return []
      case 'startRun':
        return this.#ask({ kind: 'begin' })
      case 'pause':
      case 'resume':
        return this.#ask({ kind: happening.kind, by: 'ben' })
      case 'cancel':
        return this.#ask({ ...happening, by: 'ben' })
      case 'answer': {
        const asked = this.state.tasks.filter(({ reason }) => reason === 'WAITING_FOR_APPROVAL')
        const task = chosen(asked, happening.pick)
        if (task === null) return []
        const { approved } = happening
        return this.#ask({ kind: 'answer', by: 'ben', task: task.key, approved, message: null, values: {} })
      }
    }
  }

  #ask(request: RunRequest): readonly RunEvent[] {
    const answered = answer(this.state, request, this.#now)
    assert.ok(answered.ok)
    return answered.events
  }

  /** Decides until there is nothing to say, and starts what there is room for. */
  #settle(): void {
    this.#rebuild()
    for (let round = 0; ; round += 1) {
      assert.ok(round < 1_000, `decide never has enough: ${this.#picture()}`)
      const expected = this.#how.checked ? decideAll(this.state, this.#now, PLAIN_LANGUAGE) : null
      const events = decide(this.state, this.#now, PLAIN_LANGUAGE)
      if (expected !== null)
        assert.deepEqual(effectsOf(events).toSorted(), expected.toSorted(), this.#picture())
      if (events.length === 0) break
      for (const event of events) this.#apply(event)
      this.#rebuild()
    }
    const room = this.#room()
    const expected = this.#how.checked ? decideStartsAll(this.state, room) : null
    const starts = decideStarts(this.state, this.#now, room)
    if (expected !== null) {
      const started = starts.map(event =>
        event.type === 'attemptStarted' ? `${event.task} ${event.attempt}` : '?',
      )
      assert.deepEqual(started, expected)
    }
    for (const event of starts) this.#apply(event)
    if (this.#how.checked && !isTerminal(this.state.phase))
      assert.equal(nextDeadline(this.state), nextDeadlineAll(this.state, this.#now), this.#picture())
  }

  #room(): Room {
    const pools = new Map(Object.entries(this.#scenario.pools))
    for (const task of this.#live()) {
      const pool = poolOf(this.state, task)
      if (pool !== null) pools.set(pool, (pools.get(pool) ?? 0) - 1)
    }
    assert.ok(
      [...pools.values()].every(free => free >= 0),
      'a pool has more attempts than slots',
    )
    return { slots: this.#scenario.slots - this.state.work.slots, pools }
  }

  #apply(event: RunEvent): void {
    evolve(this.state, event)
    this.log.push(event)
    if (this.#how.checked) checkInvariants(this.#watch, this.state, event)
  }

  /** Writing what changed, whenever it is written, keeps the rows equal to the state. */
  #writeRows(): void {
    const { tasks, attempts } = takeChangedRows(this.state)
    for (const row of tasks) this.#rows.set(row.task, row)
    for (const row of attempts) this.#rows.set(`${row.task} ${row.attempt}`, row)
    for (const task of this.state.tasks) {
      assert.deepEqual(this.#rows.get(task.key), taskRow(this.state, task))
      for (const attempt of task.attempts)
        assert.deepEqual(
          this.#rows.get(`${task.key} ${attempt.number}`),
          attemptRow(this.state, task, attempt),
        )
    }
  }

  /** Every task and the run can say why, in a whole sentence; what time does next is shown on somebody. */
  #explainAll(): void {
    const context = { pools: new Map(), engine: null, driven: true, queuedBehind: null }
    const all = [
      explainRun(this.state, this.#now, context),
      ...this.state.tasks.map(({ key }) => explainTask(this.state, key, this.#now, context)),
    ]
    for (const { code, sentence, next, deadline } of all) {
      assert.doesNotMatch(`${sentence} ${next}`, /[{}]|undefined|null|NaN|Infinity| $|: *$|  /)
      assert.notEqual(code, 'INTERNAL_ERROR', sentence)
      assert.ok(deadline === null || deadline.at > this.#now || deadline.what === 'it is killed', sentence)
    }
    const at = isTerminal(this.state.phase) ? null : nextDeadline(this.state)
    assert.ok(at === null || all.some(({ deadline }) => deadline?.at === at), 'a deadline that nobody tells')
  }

  #live(): readonly TaskState[] {
    return this.state.tasks.filter(task => (lastAttempt(task)?.phase ?? 'ended') !== 'ended')
  }

  #picture(): string {
    const tasks = this.state.tasks.map(({ key, state, reason }) => `${key} ${state} ${reason ?? ''}`)
    return [`at ${this.#now} run ${this.state.phase}`, ...tasks].join('; ')
  }
}

function chosen(tasks: readonly TaskState[], pick: number): TaskState | null {
  return tasks[pick % Math.max(1, tasks.length)] ?? null
}

function attemptOf(task: TaskState): number {
  return task.attempts.length
}

function isEnded(task: TaskState): boolean {
  return lastAttempt(task)?.phase === 'ended'
}

/** An end as an executor would report it. */
export function outcomeOf(kind: EndKind): Outcome {
  const base = { signal: null, message: null, outputs: {} }
  switch (kind) {
    case 'succeeded':
      return { ...base, kind, reason: 'SUCCEEDED', exitCode: 0 }
    case 'exitCode':
      return { ...base, kind, reason: 'EXIT_CODE', exitCode: 1 }
    case 'exit3':
      return { ...base, kind: 'exitCode', reason: 'EXIT_CODE', exitCode: 3 }
    case 'oomKilled':
      return { ...base, kind, reason: 'OOM_KILLED', exitCode: 137, signal: 'SIGKILL' }
    case 'timedOut':
      return { ...base, kind, reason: 'TIMED_OUT', exitCode: null }
    case 'disrupted':
      return { ...base, kind, reason: 'DISRUPTED', exitCode: null, message: 'the node was drained' }
    case 'imageError':
      return { ...base, kind, reason: 'IMAGE_ERROR', exitCode: null, message: 'no such image' }
    case 'configError':
      return { ...base, kind, reason: 'CONFIG_ERROR', exitCode: null, message: 'no such Secret' }
    case 'lost':
      return { ...base, kind, reason: 'LOST', exitCode: null, message: 'the machine restarted' }
    case 'startError':
      return { ...base, kind, reason: 'START_ERROR', exitCode: null, message: 'no process could be made' }
    case 'cancelled':
      return { ...base, kind, reason: 'CANCELLED', exitCode: null }
  }
}
