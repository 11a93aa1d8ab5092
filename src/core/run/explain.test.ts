import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { aCreation, aDag, aTask, anApproval } from '../../../test/model/dags.ts'
import { outcomeOf } from '../../../test/model/drive.ts'
import { PLAIN_LANGUAGE } from '../../../test/model/plain-language.ts'
import { decide } from './decide.ts'
import type { OutcomeKind } from './events.ts'
import { evolve } from './evolve.ts'
import { explainRun, explainTask } from './explain.ts'
import { observeEnded, observePending, observeRunning } from './observe.ts'
import { REASONS, type ReasonCode } from './reasons.ts'
import { decideStarts, endlessRoom } from './starts.ts'
import { type RunState, newRunState } from './state.ts'
import type { ExplainContext } from './waits.ts'

/** Codes that only an executor can know; the core hands them on from the outcome of an attempt. */
const TOLD: Readonly<Partial<Record<ReasonCode, readonly [OutcomeKind, message: string, sentence: string]>>> =
  {
    KILLED_BY_SIGNAL: ['exitCode', 'ended by SIGKILL', 'a was ended by SIGKILL'],
    OOM_KILLED: ['oomKilled', '', 'a used more memory than its limit'],
    DISRUPTED: ['disrupted', 'node n1 was drained', 'a was ended from outside: node n1 was drained'],
    EVICTED: ['disrupted', 'low on memory', 'a was evicted by its node: low on memory'],
    PREEMPTED: ['disrupted', 'by default/big', 'a made way for a pod of higher priority: by default/big'],
    DRAINED: ['disrupted', 'node n1', 'a was evicted when somebody drained its node: node n1'],
    POD_DELETED: ['lost', 'exit code 137', 'a lost its pod, which somebody deleted: exit code 137'],
    NODE_LOST: ['lost', 'n1', 'a was on a node that is gone: n1'],
    INIT_FAILED: ['exitCode', 'setup exited with 1', 'a did not get past its init containers: setup exited'],
    POLICY_DENIED: ['configError', 'no hostPath', 'a is not allowed by a policy of the cluster: no hostPath'],
    IMAGE_ERROR: ['imageError', 'no such image', 'a could not get its image: no such image'],
    SECRET_MISSING: ['configError', 'Secret db', 'a needs a Secret that is not there: Secret db'],
    CONFIG_MISSING: ['configError', 'ConfigMap c', 'a needs a ConfigMap that is not there: ConfigMap c'],
    COMMAND_NOT_FOUND: ['configError', 'nope', 'a names a command that is not there: nope'],
    NOT_EXECUTABLE: ['configError', './x.sh', 'a names a file that cannot be executed: ./x.sh'],
    CONFIG_ERROR: ['configError', 'bad mount', 'a could not be set up: bad mount'],
    OUTPUT_INVALID: ['configError', 'line 3', 'a wrote outputs that were not understood: line 3'],
    OUTPUT_TOO_LARGE: ['configError', '', 'a wrote outputs that are too large'],
    LOST: ['lost', 'the machine restarted', 'a has an unknown outcome: the machine restarted'],
    START_ERROR: ['startError', 'no pid', 'a could not be started: no pid'],
  }

/** What an executor says of an attempt that does not start yet. */
const HELD: readonly ReasonCode[] = [
  'UNSCHEDULABLE',
  'VOLUME_PENDING',
  'IMAGE_PULL',
  'CONTAINER_CONFIG',
  'QUOTA_EXCEEDED',
]

/** Codes that nothing in the core writes, and why they are in the list all the same. */
const RESERVED: Readonly<Partial<Record<ReasonCode, string>>> = {
  INTERNAL_ERROR: 'the engine writes it when the core threw; a run of it would be a bug',
}

/** Codes that a process on a laptop never has: no limit, no image, nobody who evicts. */
const CLUSTER_ONLY: readonly ReasonCode[] = ['OOM_KILLED', 'DISRUPTED', 'IMAGE_ERROR']

suite('every reason code', () => {
  test('is shown by a story, told by an executor, or reserved with a reason', () => {
    const stories = globSync('test/stories/*.txt').map(file => readFileSync(file, 'utf8'))
    const shown = new Set(
      stories.flatMap(text => [...text.matchAll(/^ {2}([A-Z_]+): /gm)].map(found => found[1])),
    )
    const missing = Object.keys(REASONS).filter(
      code =>
        !shown.has(code) && !(code in TOLD) && !(code in RESERVED) && !HELD.includes(code as ReasonCode),
    )
    assert.deepEqual(missing, [])
    assert.deepEqual(
      CLUSTER_ONLY.filter(code => !(code in TOLD)),
      [],
    )
  })

  for (const [code, [kind, message, sentence]] of Object.entries(TOLD)) {
    test(`${code} says: ${sentence}`, () => {
      const state = started(aDag({ tasks: [aTask({ name: 'a', onLost: 'fail' })] }))
      for (let attempt = 1; attempt < 10 && state.tasks[0]?.settledAt === null; attempt += 1) {
        const outcome = { ...outcomeOf(kind), reason: code as ReasonCode, message, signal: 'SIGKILL' }
        for (const event of observeEnded(state, 'a', attempt, attempt * 100_000, outcome))
          evolve(state, event)
        step(state, attempt * 100_000 + 99_999)
      }
      const said = explainTask(state, 'a', 0, CONTEXT)
      assert.equal(said.code, code)
      assert.ok(said.sentence.startsWith(sentence), said.sentence)
      assert.notEqual(said.next, '')
    })
  }

  for (const code of HELD) {
    test(`${code} says what holds a start back`, () => {
      const state = started(aDag({ tasks: [aTask({ name: 'a' })] }))
      for (const event of observePending(state, 'a', 1, 1, { reason: code, message: 'told so' }))
        evolve(state, event)
      const said = explainTask(state, 'a', 1, CONTEXT)
      assert.equal(said.code, code)
      assert.match(said.sentence, /^a waits for .*: told so$/)
      assert.equal(explainRun(state, 1, CONTEXT).code, 'RUNNING')
    })
  }

  test('has a sentence and a next step that use known names only', () => {
    const known = ['text', 'tasks', 'task', 'id', 'run', 'pool', 'used', 'limit', 'code', 'signal']
    for (const text of Object.values(REASONS).flat()) {
      const names = [...text.matchAll(/\{(\w+)\}/g)].map(found => found[1] ?? '')
      assert.deepEqual(
        names.filter(name => !known.includes(name)),
        [],
        text,
      )
    }
  })
})

suite('the root of it', () => {
  test('is found through a chain of 100,000 tasks', () => {
    const count = 100_000
    const tasks = Array.from({ length: count }, (_, index) =>
      aTask({ name: `t${index}`, runAfter: index === 0 ? [] : [`t${index - 1}`] }),
    )
    const state = started(aDag({ tasks }))
    for (const event of observeEnded(state, 't0', 1, 1, outcomeOf('exitCode'))) evolve(state, event)
    step(state, 1)
    const said = explainTask(state, `t${count - 1}`, 1, CONTEXT)
    assert.equal(said.sentence, `t${count - 1} did not run because t0 failed: t0 exited with code 1`)
    assert.deepEqual(said.root, [{ task: 't0', code: 'EXIT_CODE', sentence: 't0 exited with code 1' }])
  })

  test('is named once, though many ways lead to it, and never more than twenty are', () => {
    const arms = Array.from({ length: 30 }, (_, index) => aTask({ name: `arm${index}`, runAfter: ['a'] }))
    const others = Array.from({ length: 30 }, (_, index) => aTask({ name: `bad${index}` }))
    const state = started(
      aDag({
        tasks: [
          aTask({ name: 'a' }),
          ...arms,
          ...others,
          aTask({ name: 'join', runAfter: arms.map(({ name }) => name) }),
          aTask({ name: 'all', runAfter: others.map(({ name }) => name) }),
        ],
      }),
    )
    for (const name of ['a', ...others.map(task => task.name)])
      for (const event of observeEnded(state, name, 1, 1, outcomeOf('exitCode'))) evolve(state, event)
    step(state, 1)
    assert.deepEqual(
      explainTask(state, 'join', 1, CONTEXT).root.map(({ task }) => task),
      ['a'],
    )
    assert.equal(explainTask(state, 'all', 1, CONTEXT).root.length, 20)
  })

  test('of a run that goes on is what it is at', () => {
    const state = started(
      aDag({
        tasks: [aTask({ name: 'gate', work: anApproval() }), aTask({ name: 'a' }), aTask({ name: 'b' })],
      }),
    )
    for (const event of observeRunning(state, 'b', 1, 1, null)) evolve(state, event)
    assert.deepEqual(
      explainRun(state, 1, CONTEXT).root.map(({ task }) => task),
      ['b', 'a', 'gate'],
    )
    const why = { reason: 'STARTING', message: 'no node has room' } as const
    for (const event of observePending(state, 'a', 1, 1, why)) evolve(state, event)
    assert.equal(explainTask(state, 'a', 1, CONTEXT).sentence, 'a is being started: no node has room')
  })
})

const CONTEXT: ExplainContext = { pools: new Map(), engine: null, driven: true, queuedBehind: null }

function started(dag: RunState['dag']): RunState {
  const state = newRunState(dag, aCreation())
  step(state, 0)
  return state
}

function step(state: RunState, now: number): void {
  for (let events = decide(state, now, PLAIN_LANGUAGE); events.length > 0; ) {
    for (const event of events) evolve(state, event)
    events = decide(state, now, PLAIN_LANGUAGE)
  }
  for (const event of decideStarts(state, now, endlessRoom())) evolve(state, event)
}
