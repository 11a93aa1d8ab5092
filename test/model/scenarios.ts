import fc from 'fast-check'
import type { Dag, FanOut, Task } from '../../src/core/dag/dag.ts'
import type { OutcomeKind, RunCreated } from '../../src/core/run/events.ts'
import { aCreation, aDag, aTask, anApproval, CONTAINER } from './dags.ts'

/** A run and everything that will happen to it, drawn at random and shrunk when something is wrong. */
export interface Scenario {
  readonly dag: Dag
  readonly created: RunCreated
  readonly happenings: readonly Happening[]
  /** How every attempt ends that nothing else was drawn for; some troubles need many of a kind to show. */
  readonly usualEnd: EndKind
  /** Of the engine, and of each pool. */
  readonly slots: number
  readonly pools: Readonly<Record<string, number>>
}

/**
 * `pick` chooses among whatever there is of its kind at that moment; nothing happens when there is nothing.
 * `lateMs` passes before it, while the engine looks elsewhere: deadlines that came due are seen only after it.
 */
export type Happening = { readonly lateMs: number } & What

export type What =
  | { readonly kind: 'runs'; readonly pick: number }
  | {
      readonly kind: 'ends'
      readonly pick: number
      readonly outcome: EndKind | 'usual'
      readonly agoMs: number
    }
  | { readonly kind: 'endsAgain'; readonly pick: number }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'nextDeadline' }
  | { readonly kind: 'cancel'; readonly skipFinally: boolean; readonly replaced: boolean }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'answer'; readonly pick: number; readonly approved: boolean }
  | { readonly kind: 'startRun' }

export type EndKind = OutcomeKind | 'exit3'

export function scenarios(): fc.Arbitrary<Scenario> {
  return fc.record({
    dag: dags(),
    created: fc
      .record({
        maxParallelTasks: fc.option(fc.integer({ min: 1, max: 3 }), { freq: 2 }),
        queued: oneIn(8),
        priority: fc.integer({ min: 0, max: 1 }),
      })
      .map(given => aCreation(given)),
    happenings: fc.array(happening(), { maxLength: 60, size: 'max' }),
    usualEnd: fc.constantFrom<EndKind>('succeeded', 'succeeded', 'exitCode', 'lost', 'disrupted', 'timedOut'),
    slots: fc.constantFrom(1, 2, 4, Number.POSITIVE_INFINITY),
    pools: fc.record({ p: fc.integer({ min: 1, max: 2 }), q: fc.constant(1) }),
  })
}

function dags(): fc.Arbitrary<Dag> {
  return fc
    .record({
      shape: fc.constantFrom<Shape>('random', 'chain', 'diamond', 'parts', 'layers'),
      tasks: fc.array(drawnTask(), { minLength: 1, maxLength: 10, size: 'max' }),
      finallyTasks: fc.array(drawnTask(), { maxLength: 2 }),
      rest: fc.record({
        maxParallelTasks: fc.option(fc.integer({ min: 1, max: 3 }), { freq: 2 }),
        failFast: oneIn(3),
        timeoutMs: fc.option(fc.constantFrom(8_000, 30_000), { freq: 2 }),
        pool: fc.option(fc.constant('p'), { freq: 2 }),
      }),
    })
    .map(({ shape, tasks, finallyTasks, rest }) =>
      aDag({
        ...rest,
        tasks: tasks.map((task, index) => placed(task, shape, index, 't', tasks.length)),
        finally: finallyTasks.map((task, index) => placed(task, 'random', index, 'f', finallyTasks.length)),
      }),
    )
}

type Shape = 'random' | 'chain' | 'diamond' | 'parts' | 'layers'
type Drawn = Omit<Task, 'name' | 'runAfter' | 'when'> & {
  readonly after: number[]
  readonly when: string | null
}

function drawnTask(): fc.Arbitrary<Drawn> {
  return fc
    .record({
      after: fc.array(fc.nat(20), { maxLength: 3 }),
      triggerRule: fc.constantFrom<Task['triggerRule']>(
        'allSucceeded',
        'allSucceeded',
        'noneFailed',
        'allDone',
        'anySucceeded',
        'anyFailed',
        'always',
      ),
      when: fc.oneof(
        { weight: 20, arbitrary: fc.constant(null) },
        { weight: 4, arbitrary: fc.constantFrom('yes', 'BEFORE is succeeded', 'BEFORE is failed') },
        { weight: 1, arbitrary: fc.constantFrom('no', 'boom') },
      ),
      allowFailure: oneIn(5),
      work: fc.constantFrom<Task['work']>(
        ...Array.from({ length: 15 }, () => CONTAINER),
        { kind: 'dag', dag: 'other', parameters: [] },
        anApproval(),
        anApproval({ timeoutMs: 4_000 }),
        anApproval({ timeoutMs: 2_000, onTimeout: 'approve' }),
      ),
      fanOut: oneIn(4).chain(some => (some ? fanOuts() : fc.constant(null))),
      retry: retries(),
      timeoutMs: fc.option(fc.constantFrom(3_000, 10_000), { freq: 2 }),
      pendingTimeoutMs: fc.option(fc.constantFrom(1_000, 5_000), { freq: 2 }),
      pool: fc.option(fc.constantFrom('p', 'q'), { freq: 2 }),
      priority: fc.option(fc.integer({ min: 0, max: 3 }), { freq: 2 }),
      onLost: fc.constantFrom<Task['onLost']>('retry', 'fail', 'wait'),
    })
    .map(drawn => aTask({ name: '', ...drawn }))
    .map(task => ({ ...task, after: 'after' in task ? (task.after as number[]) : [] }))
}

function retries(): fc.Arbitrary<Task['retry']> {
  return fc.record({
    limit: fc.integer({ min: 0, max: 2 }),
    delayMs: fc.constantFrom(0, 1_000),
    factor: fc.constant(2),
    maxDelayMs: fc.constant(60_000),
    jitter: fc.constantFrom(0, 0.5),
    retryCodes: fc.option(fc.constantFrom([3], [137]), { freq: 2 }),
  })
}

function fanOuts(): fc.Arbitrary<FanOut> {
  return fc.record({
    over: fc.oneof(
      fc.integer({ min: 0, max: 4 }).map(size => ({
        kind: 'list' as const,
        items: Array.from({ length: size }, (_, index) => index),
      })),
      fc.constant({
        kind: 'matrix' as const,
        axes: [
          { name: 'os', values: ['a', 'b'] },
          { name: 'arch', values: [1, 2] },
        ],
      }),
      fc
        .constantFrom('items 3', 'yes', 'boom')
        .map(expression => ({ kind: 'expression' as const, expression })),
    ),
    maxParallel: fc.option(fc.integer({ min: 1, max: 2 }), { freq: 2 }),
  })
}

function placed(drawn: Drawn, shape: Shape, index: number, prefix: string, count: number): Task {
  const { after, ...task } = drawn
  const before = index === 0 ? [] : dependencies(shape, index, after, count)
  const runAfter = [...new Set(before)].map(position => `${prefix}${position}`)
  const about = runAfter[0]
  const when = task.when?.includes('BEFORE')
    ? about === undefined
      ? null
      : task.when.replace('BEFORE', about)
    : task.when
  return { ...task, name: `${prefix}${index}`, runAfter, when }
}

/** Positions before `index`: a graph of that shape can have no cycle. */
function dependencies(
  shape: Shape,
  index: number,
  after: readonly number[],
  count: number,
): readonly number[] {
  switch (shape) {
    case 'chain':
      return [index - 1]
    case 'diamond':
      return index === count - 1 && index > 1 ? range(1, index) : [0]
    case 'layers':
      return range(Math.max(0, Math.floor(index / 3) * 3 - 3), Math.floor(index / 3) * 3)
    case 'parts':
      return after.map(number => number % index).filter(position => position % 2 === index % 2)
    case 'random':
      return after.map(number => number % index)
  }
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

function happening(): fc.Arbitrary<Happening> {
  return fc
    .record({ what: what(), lateMs: fc.constantFrom(0, 0, 0, 0, 0, 1_500, 6_000) })
    .map(({ what: drawn, lateMs }) => ({ ...drawn, lateMs }))
}

function what(): fc.Arbitrary<What> {
  const pick = fc.nat(20)
  return fc.oneof(
    { weight: 20, arbitrary: fc.record({ kind: fc.constant('runs' as const), pick }) },
    {
      weight: 40,
      arbitrary: fc.record({
        kind: fc.constant('ends' as const),
        pick,
        outcome: fc.constantFrom<EndKind | 'usual'>(
          ...Array.from({ length: 14 }, () => 'usual' as const),
          ...(['succeeded', 'succeeded', 'succeeded', 'exitCode', 'exitCode', 'exit3', 'oomKilled'] as const),
          ...([
            'timedOut',
            'disrupted',
            'imageError',
            'configError',
            'lost',
            'startError',
            'cancelled',
          ] as const),
        ),
        agoMs: fc.constantFrom(0, 500),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('endsAgain' as const), pick }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(1, 700, 5_000) }),
    },
    { weight: 3, arbitrary: fc.constant({ kind: 'nextDeadline' as const }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('cancel' as const),
        skipFinally: fc.boolean(),
        replaced: oneIn(4),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'pause' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'resume' as const }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('answer' as const), pick, approved: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: 'startRun' as const }) },
  )
}

function oneIn(count: number): fc.Arbitrary<boolean> {
  return fc.integer({ min: 1, max: count }).map(drawn => drawn === count)
}
