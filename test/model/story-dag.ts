import type { Dag, FanOut, Parameter, Task } from '../../src/core/dag/dag.ts'
import { aDag, aTask, anApproval } from './dags.ts'

/** The first lines of a story: the DAG, the run and the engine, one task a line. */
export interface StoryDag {
  readonly dag: Dag
  readonly queued: boolean
  /** Expressions are CEL instead of the stand-in. */
  readonly cel: boolean
  readonly slots: number
  readonly pools: ReadonlyMap<string, number>
}

/**
 * Reads lines such as `b after a retries=2 delay=10s`, `finally clean`, `run failFast timeout=1m`,
 * `engine slots=2 pool=gpu:1`. Values with spaces stand in double quotes.
 * @throws {Error} A word that means nothing here.
 */
export function readDag(lines: readonly string[]): StoryDag {
  const tasks: Task[] = []
  const finals: Task[] = []
  let run = new Words('run', [])
  let engine = new Words('engine', [])
  for (const line of lines) {
    const [head = '', ...rest] = line.match(/(?:[^\s"]+|"[^"]*")+/g) ?? []
    if (head === 'run') run = new Words('run', rest)
    else if (head === 'engine') engine = new Words('engine', rest)
    else if (head === 'finally') finals.push(readTask(rest[0] ?? '', rest.slice(1)))
    else tasks.push(readTask(head, rest))
  }
  const dag = aDag({
    tasks,
    finally: finals,
    failFast: run.flag('failFast'),
    timeoutMs: run.duration('timeout'),
    maxParallelTasks: run.number('maxParallelTasks'),
    pool: run.text('pool'),
    priority: run.number('priority') ?? 0,
  })
  const queued = run.flag('queued')
  const cel = run.flag('cel')
  const slots = engine.number('slots') ?? Number.POSITIVE_INFINITY
  const pools = new Map(
    (engine.text('pools') ?? '')
      .split(',')
      .filter(pool => pool !== '')
      .map(pool => [pool.split(':')[0] ?? '', Number(pool.split(':')[1])]),
  )
  run.end()
  engine.end()
  return { dag, queued, cel, slots, pools }
}

function readTask(name: string, rest: readonly string[]): Task {
  const words = new Words(name, rest)
  const defaults = aTask({ name })
  const task: Task = {
    ...defaults,
    runAfter: words.after(),
    triggerRule: (words.text('rule') ?? 'allSucceeded') as Task['triggerRule'],
    when: words.text('when'),
    allowFailure: words.flag('allowFailure'),
    work: readWork(words, defaults),
    retry: {
      limit: words.number('retries') ?? 0,
      delayMs: words.duration('delay') ?? 0,
      factor: words.number('factor') ?? 2,
      maxDelayMs: words.duration('maxDelay') ?? 3_600_000,
      jitter: 0,
      retryCodes: words.text('codes')?.split(',').map(Number) ?? null,
    },
    timeoutMs: words.duration('timeout'),
    pendingTimeoutMs: words.duration('pendingTimeout'),
    outputs: words.text('outputs')?.split(',') ?? [],
    fanOut: readFanOut(words),
    pool: words.text('pool'),
    priority: words.number('priority'),
    onLost: (words.text('onLost') ?? 'retry') as Task['onLost'],
  }
  words.end()
  return task
}

function readWork(words: Words, defaults: Task): Task['work'] {
  const dag = words.text('dag')
  if (dag !== null) return { kind: 'dag', dag, parameters: [] }
  const message = words.text('asks')
  if (message === null) return defaults.work
  return anApproval({
    message,
    form: words.text('form')?.split(',').map(field) ?? [],
    timeoutMs: words.duration('within'),
    onTimeout: words.text('otherwise') === 'approve' ? 'approve' : 'reject',
  })
}

/** `reason!` must be given; `count:integer` has a type; `color:string=red` a default. */
function field(text: string): Parameter {
  const [, name = '', type = 'string', preset, must] = /^(\w+)(?::(\w+))?(?:~(\w+))?(!)?$/.exec(text) ?? []
  return {
    name,
    type: type as Parameter['type'],
    description: null,
    required: must !== undefined,
    enum: null,
    default: preset === undefined ? { kind: 'none' } : { kind: 'value', value: preset },
  }
}

function readFanOut(words: Words): FanOut | null {
  const each = words.text('each')
  const expression = words.text('forEach')
  const matrix = words.text('matrix')
  const maxParallel = words.number('maxParallel')
  if (expression !== null) return { over: { kind: 'expression', expression }, maxParallel }
  if (each !== null) {
    const items = each === 'nothing' ? [] : each.split(',')
    return { over: { kind: 'list', items }, maxParallel }
  }
  if (matrix === null) return null
  const axes = matrix.split(';').map(axis => {
    const [name = '', values = ''] = axis.split(':')
    return { name, values: values.split(',') }
  })
  return { over: { kind: 'matrix', axes }, maxParallel }
}

/** The words after a name, each of which must be asked for. */
class Words {
  readonly #subject: string
  readonly #left: Map<string, string>
  readonly #after: string[]

  constructor(subject: string, words: readonly string[]) {
    this.#subject = subject
    const from = words[0] === 'after' ? 2 : 0
    this.#after = from === 0 ? [] : (words[1] ?? '').split(',')
    this.#left = new Map(
      words.slice(from).map(word => {
        const [key = '', value = ''] = word.split(/=(.*)/s)
        return [key, value.replaceAll('"', '')]
      }),
    )
  }

  after(): readonly string[] {
    return this.#after
  }

  text(key: string): string | null {
    const value = this.#left.get(key) ?? null
    this.#left.delete(key)
    return value
  }

  flag(key: string): boolean {
    return this.text(key) !== null
  }

  number(key: string): number | null {
    const value = this.text(key)
    return value === null ? null : Number(value)
  }

  duration(key: string): number | null {
    const value = this.text(key)
    return value === null ? null : milliseconds(value)
  }

  end(): void {
    const [unknown] = this.#left.keys()
    if (unknown !== undefined) throw new Error(`${this.#subject}: ${unknown} is not understood`)
  }
}

/** `10s`, `5m`, `1h`, `200ms`. */
export function milliseconds(text: string): number {
  const [, count = '', unit = ''] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? []
  const size = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit]
  if (size === undefined) throw new Error(`${text} is not a duration`)
  return Number(count) * size
}
