import assert from 'node:assert/strict'
import { createRun, reusable, reuseEvents } from '../../src/core/run/create.ts'
import { decide } from '../../src/core/run/decide.ts'
import type { ExpressionLanguage } from '../../src/core/run/inputs.ts'
import { compileExpression, compileTemplate, hasTemplate } from '../../src/core/expression/cel.ts'
import type { Outcome, OutcomeKind, RunEvent } from '../../src/core/run/events.ts'
import { evolve, replay } from '../../src/core/run/evolve.ts'
import { explainRun, explainTask } from '../../src/core/run/explain.ts'
import type { ReasonCode } from '../../src/core/run/reasons.ts'
import { observeEnded, observeRunning } from '../../src/core/run/observe.ts'
import { type RunRequest, answer } from '../../src/core/run/requests.ts'
import { decideStarts } from '../../src/core/run/starts.ts'
import {
  type RunState,
  isTerminal,
  newRunState,
  poolOf,
  taskAt,
  taskByKey,
} from '../../src/core/run/state.ts'
import type { ExplainContext } from '../../src/core/run/waits.ts'
import { aCreation } from './dags.ts'
import { factsOf, outcomeOf } from './drive.ts'
import { checkInvariants, newWatch } from './invariants.ts'
import { PLAIN_LANGUAGE } from './plain-language.ts'
import { type StoryDag, milliseconds, readDag } from './story-dag.ts'
import { inWords, longAs } from './story-words.ts'

/** One story of a file: its lines up to the next title. */
export interface Story {
  readonly title: string
  readonly dagLines: readonly string[]
  readonly steps: readonly { readonly text: string; readonly expected: readonly string[] }[]
}

/** Titles begin with `# `, the lines of the DAG with `  | `, steps at the margin, what happens with two spaces. */
export function readStories(text: string): readonly Story[] {
  return text
    .split(/^# /m)
    .slice(1)
    .map(part => {
      const [title = '', ...lines] = part.split('\n')
      const dagLines = lines.filter(line => line.startsWith('  | ')).map(line => line.slice(4))
      const steps: { text: string; expected: string[] }[] = []
      for (const line of lines.filter(line => line.trim() !== '' && !line.startsWith('  | '))) {
        if (line.startsWith('  ')) steps[steps.length - 1]?.expected.push(line.slice(2))
        else steps.push({ text: line, expected: [] })
      }
      return { title, dagLines, steps }
    })
}

/** The story as it should be written, with what really happened. */
export function writeStory(story: Story, happened: readonly (readonly string[])[]): string {
  const steps = story.steps.flatMap(({ text }, index) => [
    text,
    ...(happened[index] ?? []).map(line => `  ${line}`),
  ])
  return [`# ${story.title}`, ...story.dagLines.map(line => `  | ${line}`), ...steps, ''].join('\n')
}

/** Plays a story and returns, for each step, what happened. */
export function play(story: Story): readonly (readonly string[])[] {
  const stage = new Stage(readDag(story.dagLines))
  return story.steps.map(({ text }) => {
    try {
      return stage.step(text)
    } catch (error) {
      if (error instanceof Error) error.message = `${story.title}, at "${text}": ${error.message}`
      throw error
    }
  })
}

const CEL: ExpressionLanguage = { compileExpression, compileTemplate, hasTemplate }

class Stage {
  readonly #given: StoryDag
  #state: RunState
  #log: RunEvent[] = []
  #watch = newWatch()
  #now = 0
  #runs = 1
  #driven = true

  constructor(given: StoryDag) {
    this.#given = given
    this.#state = newRunState(given.dag, aCreation({ queued: given.queued, priority: given.dag.priority }))
    this.#log.push(this.#state.created)
  }

  step(text: string): readonly string[] {
    const explained = this.#explain(text)
    if (explained !== null) return explained
    const log = this.#log
    const length = log.length
    const refused = this.#do(text)
    if (refused !== null) return [refused]
    const from = this.#log === log ? length : 0
    if (isTerminal(this.#state.phase) && this.#log.length === from) return []
    this.#settle()
    if (text === 'restart') assert.equal(this.#log.length, from, 'a restart alone changes nothing')
    return inWords(this.#log.slice(from), this.#state)
  }

  /** Null when done; else why the request was refused. */
  #do(text: string): string | null {
    const [first = '', verb = '', ...rest] = text.split(' ')
    switch (first) {
      case 'start':
        return null
      case 'run':
        return this.#ask({ kind: 'begin' })
      case 'after':
        return this.#pass(milliseconds(verb))
      case 'restart':
        return this.#restart()
      case 'cancel':
        return this.#ask({ kind: 'cancel', by: 'anna', skipFinally: verb === 'now' })
      case 'replace':
        return this.#ask({ kind: 'cancel', by: 'engine', skipFinally: false, replaced: true })
      case 'pause':
      case 'resume':
        return this.#ask({ kind: first, by: 'anna' })
      case 'approve':
      case 'reject': {
        const values = Object.fromEntries(rest.map(pair => pair.split('=')))
        const approved = first === 'approve'
        return this.#ask({ kind: 'answer', by: 'anna', task: verb, approved, message: null, values })
      }
      case 'retry':
        return this.#continue(null)
      case 'fork':
        return this.#continue([verb])
      case 'engine':
        this.#driven = verb !== 'gone'
        return null
      default:
        return this.#observe(first, verb, rest)
    }
  }

  #observe(key: string, verb: string, rest: readonly string[]): null {
    const attempt = taskByKey(this.#state, key).attempts.length
    if (verb === 'runs')
      return this.#apply(observeRunning(this.#state, key, attempt, this.#now, { run: 'r2' }))
    if (verb === 'fails') {
      const [reason = '', ...message] = rest
      const outcome = {
        ...outcomeOf('exitCode'),
        reason: reason as ReasonCode,
        message: message.join(' '),
        exitCode: null,
      }
      return this.#apply(observeEnded(this.#state, key, attempt, this.#now, outcome))
    }
    const kinds: Readonly<Record<string, OutcomeKind>> = { is: rest[0] as OutcomeKind, exits: 'exitCode' }
    const kind = kinds[verb]
    if (kind === undefined) throw new Error('this step is not understood')
    const code = verb === 'exits' ? Number(rest[0]) : null
    const base = code === 0 ? outcomeOf('succeeded') : outcomeOf(kind)
    const outputs = Object.fromEntries(rest.slice(2).map(pair => pair.split(/=(.*)/s)))
    const outcome: Outcome = code === null ? base : { ...base, exitCode: code, outputs }
    return this.#apply(observeEnded(this.#state, key, attempt, this.#now, outcome, this.#now))
  }

  #explain(text: string): readonly string[] | null {
    const [first, key = ''] = text.split(' ')
    if (first !== 'explain') return null
    const context = this.#context()
    const said =
      key === 'run'
        ? explainRun(this.#state, this.#now, context)
        : explainTask(this.#state, key, this.#now, context)
    const { deadline } = said
    return [
      `${said.code}: ${said.sentence}`,
      `next: ${said.next}`,
      ...(deadline === null ? [] : [`in ${longAs(deadline.at - this.#now)} ${deadline.what}`]),
    ]
  }

  #context(): ExplainContext {
    const { slots, pools } = this.#given
    const limits = [...pools].map(([name, limit]) => [name, { used: this.#used(name), limit }] as const)
    const engine = Number.isFinite(slots) ? { used: this.#state.work.slots, limit: slots } : null
    return { pools: new Map(limits), engine, driven: this.#driven, queuedBehind: 'r0' }
  }

  #used(pool: string): number {
    return [...this.#state.work.live].filter(
      index => poolOf(this.#state, taskAt(this.#state, index)) === pool,
    ).length
  }

  #pass(ms: number): null {
    this.#now += ms
    return null
  }

  #restart(): null {
    const replayed = replay(this.#given.dag, this.#log)
    assert.deepEqual(factsOf(replayed), factsOf(this.#state))
    this.#state = replayed
    return null
  }

  #ask(request: RunRequest): string | null {
    const answered = answer(this.#state, request, this.#now)
    if (!answered.ok) return `refused: ${answered.problem.message}; ${answered.problem.fix}`
    return this.#apply(answered.events)
  }

  /** A new run that takes over what the ended one did well. */
  #continue(again: readonly string[] | null): string | null {
    const old = this.#state
    const reused = reusable(old, again)
    if (!reused.ok) return `refused: ${reused.problems[0]?.message}`
    this.#runs += 1
    const created = createRun(
      {
        run: `r${this.#runs}`,
        name: `flow-${this.#runs}`,
        dag: this.#given.dag,
        dagHash: 'hash',
        parameters: [],
        labels: {},
        workdir: null,
        continues: old.created.run,
        trigger: { kind: 'manual', key: String(this.#runs), by: 'anna' },
      },
      this.#now,
    )
    assert.ok(created.ok)
    this.#state = newRunState(this.#given.dag, created.value)
    this.#watch = newWatch()
    this.#log = [created.value]
    return this.#apply(reuseEvents(reused.value, this.#now, 1_000))
  }

  #settle(): void {
    for (let round = 0; ; round += 1) {
      assert.ok(round < 1_000, 'decide never has enough')
      const events = decide(this.#state, this.#now, this.#given.cel ? CEL : PLAIN_LANGUAGE)
      if (events.length === 0) break
      this.#apply(events)
    }
    const pools = new Map([...this.#given.pools].map(([name, limit]) => [name, limit - this.#used(name)]))
    const slots = this.#given.slots - this.#state.work.slots
    this.#apply(decideStarts(this.#state, this.#now, { slots, pools }))
  }

  #apply(events: readonly RunEvent[]): null {
    for (const event of events) {
      evolve(this.#state, event)
      this.#log.push(event)
      if (event.type !== 'tasksReused') checkInvariants(this.#watch, this.#state, event)
    }
    return null
  }
}
