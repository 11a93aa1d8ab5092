import assert from 'node:assert/strict'
import type { Store } from '../../src/ports/store.ts'
import { refused, type WithStore } from './store.ts'
import { append, attemptRow, ended, event, runRow, settle, taskRow } from './store-records.ts'

export function appendContract(withStore: WithStore): void {
  creation(withStore)
  refusals(withStore)
  pools(withStore)
  terminal(withStore)
  texts(withStore)
}

function creation(withStore: WithStore): void {
  withStore('writes log, rows and feed, and gives them back as they were', async store => {
    const run = runRow('r', {
      labels: { team: 'data' },
      trigger: { kind: 'schedule', key: '2026-01-01T00:00', scheduledTime: 5 },
      parentRun: 'p',
      continues: 'c',
      startedAt: 7,
      reason: 'RUNNING',
      message: 'so far so good',
    })
    const task = taskRow('r', 0, {
      state: 'running',
      reason: 'RUNNING',
      message: 'm',
      attempts: 1,
      exitCode: 3,
    })
    const attempt = attemptRow('r', 't0', 1, {
      phase: 'running',
      runningAt: 2,
      handle: { pid: [1, null, 'x'] },
    })
    await store.append(
      append('r', 0, {
        events: [event(1), event(2)],
        rows: { run, tasks: [task], attempts: [attempt] },
        engine: 'e1',
      }),
    )
    assert.deepEqual(await store.run('r'), { ...run, version: 2, owner: 'e1' })
    assert.deepEqual(await store.events('r'), [event(1), event(2)])
    assert.deepEqual(await store.events('r', 1), [event(2)])
    assert.deepEqual(await store.tasks({ run: 'r' }), { items: [task], next: null })
    assert.deepEqual(await store.attempts('r'), [attempt])
    assert.deepEqual(await store.feed(0, 10), [{ seq: 1, run: 'r', version: 2 }])
    assert.equal(await store.runOfTrigger('default', 'etl', 'schedule', '2026-01-01T00:00'), 'r')
  })

  withStore('replaces rows by run, task and attempt, and leaves the others', async store => {
    const [first, second] = [attemptRow('r', 't0', 1), attemptRow('r', 't0', 2)]
    const rows = { run: runRow('r'), tasks: [taskRow('r', 0), taskRow('r', 1)], attempts: [first] }
    await store.append(append('r', 0, { rows }))
    const changed = taskRow('r', 1, { state: 'running', startedAt: 4 })
    const run = runRow('r', { tasksDone: 1, message: 'one done' })
    await store.append(append('r', 1, { rows: { run, tasks: [changed], attempts: [ended(first), second] } }))
    assert.deepEqual((await store.tasks({ run: 'r' })).items, [taskRow('r', 0), changed])
    assert.deepEqual(await store.attempts('r', 't0'), [ended(first), second])
    assert.deepEqual(await store.attempts('r', 'nobody'), [])
    assert.equal((await store.run('r'))?.message, 'one done')
  })

  withStore('an unknown run has no events, no row, no tasks', async store => {
    assert.deepEqual(await store.events('nobody'), [])
    assert.equal(await store.run('nobody'), null)
    assert.deepEqual(await store.tasks({ run: 'nobody' }), { items: [], next: null })
    assert.deepEqual(await store.attempts('nobody'), [])
    assert.equal(await store.runOfTrigger('default', 'etl', 'manual', 'nobody'), null)
  })

  withStore(
    'the settled append of a turn is there for whoever opens the database beside',
    async (store, { beside }) => {
      await Promise.all(Array.from({ length: 500 }, (_, index) => store.append(append(`r${index}`, 0))))
      if (beside === null) return
      const other = await beside()
      assert.equal(await other.feedEnd(), 500)
      await other.close()
    },
  )
}

function refusals(withStore: WithStore): void {
  withStore('VERSION_CONFLICT: of two that decided on the same log, one is written', async store => {
    await store.append(append('r', 0))
    const outcomes = await Promise.allSettled([
      store.append(append('r', 1, { events: [event(10)] })),
      store.append(append('r', 1, { events: [event(20)] })),
    ])
    assert.deepEqual(
      outcomes.map(outcome => outcome.status),
      ['fulfilled', 'rejected'],
    )
    assert.deepEqual(await store.events('r'), [event(1), event(10)])
    await refused('VERSION_CONFLICT', store.append(append('nobody', 3)))
  })

  withStore('DUPLICATE_RUN: the same trigger key never gives a second run', async store => {
    const trigger = { kind: 'event', key: 'delivery-1', source: 'hook' } as const
    const rows = (id: string, dag = 'etl') => ({ run: runRow(id, { trigger, dag }), tasks: [], attempts: [] })
    await store.append(append('a', 0, { rows: rows('a') }))
    const error = await refused('DUPLICATE_RUN', store.append(append('b', 0, { rows: rows('b') })))
    assert.equal(error.existing, 'a')
    assert.equal(await store.run('b'), null)
    await store.append(append('c', 0, { rows: rows('c', 'other') }))
    assert.equal(await store.runOfTrigger('default', 'etl', 'event', 'delivery-1'), 'a')
  })

  withStore('DUPLICATE_RUN: an id that exists, even with another trigger key', async store => {
    await store.append(append('a', 0))
    const run = runRow('a', { trigger: { kind: 'manual', key: 'another', by: 'bob' } })
    const again = append('a', 0, { rows: { run, tasks: [], attempts: [] } })
    assert.equal((await refused('DUPLICATE_RUN', store.append(again))).existing, 'a')
    assert.equal(await store.runOfTrigger('default', 'etl', 'manual', 'another'), null)
  })

  withStore('NOT_OWNER: an engine writes only to its own runs; a person to all', async store => {
    await store.append(append('r', 0, { engine: 'e1' }))
    await refused('NOT_OWNER', store.append(append('r', 1, { engine: 'e2' })))
    await store.append(append('r', 1, { engine: 'e1' }))
    await store.append(append('r', 2, { engine: null }))
    assert.equal(await store.claim('r', 'e1', 'e2'), true)
    await refused('NOT_OWNER', store.append(append('r', 3, { engine: 'e1' })))
    await store.append(append('r', 3, { engine: 'e2' }))
  })

  withStore('a refused append takes nothing with it, and nothing of the same turn is lost', async store => {
    await store.append(append('bad', 0))
    const wrong = append('bad', 7, {
      rows: { run: runRow('bad', { message: 'wrong' }), tasks: [taskRow('bad', 5)], attempts: [] },
    })
    const outcomes = await Promise.allSettled([
      store.append(append('a', 0)),
      store.append(wrong),
      store.append(append('a', 1)),
      store.append(append('b', 0)),
      store.append(append('b', 0)),
      store.append(append('c', 0)),
    ])
    assert.deepEqual(
      outcomes.map(outcome => outcome.status === 'fulfilled'),
      [true, false, true, true, false, true],
    )
    assert.equal((await store.run('bad'))?.message, '')
    assert.deepEqual((await store.tasks({ run: 'bad' })).items, [])
    assert.deepEqual(
      (await store.feed(0, 10)).map(({ seq, run, version }) => `${seq} ${run} ${version}`),
      ['1 bad 1', '2 a 1', '3 a 2', '4 b 1', '5 c 1'],
    )
  })

  withStore('an append of nothing, or with the row of another run, is a bug', async store => {
    await assert.rejects(store.append(append('r', 0, { events: [] })), assert.AssertionError)
    await assert.rejects(store.append(append('r', 0, { rows: append('q', 0).rows })), assert.AssertionError)
    assert.equal(await store.run('r'), null)
  })
}

function pools(withStore: WithStore): void {
  const starts = (run: string, version: number, tasks: readonly string[], limit: number) =>
    append(run, version, {
      rows: {
        run: runRow(run),
        tasks: [],
        attempts: tasks.map(task => attemptRow(run, task, 1, { pool: 'gpu' })),
      },
      pools: new Map([['gpu', limit]]),
    })

  withStore('POOL_FULL: live attempts of all runs count, and those of the same turn', async store => {
    await store.append(append('a', 0))
    await store.append(append('b', 0))
    const outcomes = await Promise.allSettled([
      store.append(starts('a', 1, ['t0', 't1'], 3)),
      store.append(starts('b', 1, ['t0', 't1'], 3)),
      store.append(starts('b', 1, ['t0'], 3)),
    ])
    assert.deepEqual(
      outcomes.map(outcome => outcome.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.deepEqual(await store.poolUse(), new Map([['gpu', 3]]))
    assert.deepEqual(await store.attempts('b'), [attemptRow('b', 't0', 1, { pool: 'gpu' })])
    await refused('POOL_FULL', store.append(starts('b', 2, ['t9'], 3)))
  })

  withStore('a slot is free when its attempt has ended, in the same append too', async store => {
    await store.append(starts('a', 0, ['t0'], 1))
    const attempts = [
      ended(attemptRow('a', 't0', 1, { pool: 'gpu' })),
      attemptRow('a', 't1', 1, { pool: 'gpu' }),
    ]
    const swap = { rows: { run: runRow('a'), tasks: [], attempts }, pools: new Map([['gpu', 1]]) }
    await store.append(append('a', 1, swap))
    assert.deepEqual(await store.poolUse(), new Map([['gpu', 1]]))
  })

  withStore('a pool whose limit was lowered takes nothing more, but lets its attempts go on', async store => {
    await store.append(starts('a', 0, ['t0', 't1', 't2'], 3))
    await refused('POOL_FULL', store.append(starts('a', 1, ['t3'], 1)))
    const running = attemptRow('a', 't0', 1, { pool: 'gpu', phase: 'running' })
    const pool = new Map([['gpu', 1]])
    await store.append(
      append('a', 1, { rows: { run: runRow('a'), tasks: [], attempts: [running] }, pools: pool }),
    )
    assert.deepEqual(await store.poolUse(), new Map([['gpu', 3]]))
  })

  withStore('attempts without a pool, or of a pool without a limit, hold nobody up', async store => {
    const attempts = [attemptRow('a', 't0', 1), attemptRow('a', 't1', 1, { pool: 'free' })]
    await store.append(
      append('a', 0, { rows: { run: runRow('a'), tasks: [], attempts }, pools: new Map([['gpu', 0]]) }),
    )
    assert.deepEqual(await store.poolUse(), new Map([['free', 1]]))
  })
}

function terminal(withStore: WithStore): void {
  withStore('TERMINAL: the log of a settled run takes nothing more, whoever asks', async store => {
    await store.append(append('r', 0, { engine: 'e1' }))
    await store.append(settle('r', 1))
    await refused('TERMINAL', store.append(append('r', 2)))
    await refused('TERMINAL', store.append(append('r', 2, { engine: 'e1' })))
    await refused('TERMINAL', store.append(append('r', 1)))
    assert.equal((await store.run('r'))?.version, 2)
    assert.equal((await store.run('r'))?.phase, 'succeeded')
  })

  withStore('a run may be made and settled in one append', async store => {
    await store.append(settle('r', 0))
    await refused('TERMINAL', store.append(append('r', 1)))
    assert.equal((await store.events('r')).length, 1)
  })

  withStore('TERMINAL: a settled task and an ended attempt never come back to life', async store => {
    const attempt = ended(attemptRow('r', 't0', 1))
    const tasks = [taskRow('r', 0, { state: 'failed' })]
    await store.append(append('r', 0, { rows: { run: runRow('r'), tasks, attempts: [attempt] } }))
    const alive = taskRow('r', 0, { state: 'running' })
    const rows = { run: runRow('r'), tasks: [alive], attempts: [] }
    await refused('TERMINAL', store.append(append('r', 1, { rows })))
    const again = { run: runRow('r'), tasks: [], attempts: [attemptRow('r', 't0', 1)] }
    await refused('TERMINAL', store.append(append('r', 1, { rows: again })))
    assert.deepEqual((await store.tasks({ run: 'r' })).items, tasks)
    assert.equal((await store.run('r'))?.version, 1)
  })
}

function texts(withStore: WithStore): void {
  withStore(
    'events keep every text exactly: NUL, emoji, half a surrogate pair, quotes, 1 MB',
    async store => {
      for (const [index, text] of TEXTS.entries()) await keeps(store, `r${index}`, text)
    },
  )

  withStore(
    'messages in rows keep every text that databases can hold, and stay readable otherwise',
    async store => {
      const run = runRow('r', { message: 'a\0b \ud800 😀 "\'; DROP TABLE run; --' })
      await store.append(append('r', 0, { rows: { run, tasks: [], attempts: [] } }))
      assert.equal((await store.run('r'))?.message, 'a\ufffdb \ufffd 😀 "\'; DROP TABLE run; --')
    },
  )

  withStore('names, keys and labels of any script are found again', async store => {
    const odd = `Ünïcode-工作-"quoted"-'x'-%_\\-😀`
    const run = runRow('r', {
      name: odd,
      dag: odd,
      namespace: odd,
      labels: { [odd]: odd },
      trigger: { kind: 'manual', key: odd, by: odd },
    })
    await store.append(append('r', 0, { rows: { run, tasks: [], attempts: [] } }))
    assert.equal(await store.runOfTrigger(odd, odd, 'manual', odd), 'r')
    assert.equal((await store.runs({ namespace: odd, dag: odd, labels: { [odd]: odd } })).items[0]?.id, 'r')
    assert.equal((await store.runsLike(odd.slice(0, 6), 5))[0]?.id, 'r')
    assert.deepEqual((await store.run('r'))?.labels, { [odd]: odd })
  })
}

const TEXTS = ['', 'a\0b', '😀', '\ud800 alone', `"'\\`, '\u2028\u2029\ufeff', 'x'.repeat(1_000_000)]

async function keeps(store: Store, run: string, text: string): Promise<void> {
  const approved = {
    type: 'approvalAnswered',
    at: 1,
    task: text,
    approved: true,
    by: text,
    message: text,
    values: { [text]: text },
  } as const
  await store.append(append(run, 0, { events: [approved] }))
  assert.deepEqual(await store.events(run), [approved])
}
