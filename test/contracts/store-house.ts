import assert from 'node:assert/strict'
import type { Dag } from '../../src/core/dag/dag.ts'
import type { RunRow } from '../../src/core/run/rows.ts'
import type { Advance, EngineRow, Store } from '../../src/ports/store.ts'
import { refused, type WithStore } from './store.ts'
import { append, attemptRow, dag, event, runRow, settle, taskRow } from './store-records.ts'

export function houseContract(withStore: WithStore): void {
  dagVersions(withStore)
  owners(withStore)
  schedules(withStore)
  feed(withStore)
  removal(withStore)
}

function dagVersions(withStore: WithStore): void {
  withStore('a DAG version is found by content; suspending it makes none', async store => {
    assert.deepEqual(await store.putDag(dag('etl'), 'h1', 'a.yaml', 1), { version: 1, created: true })
    assert.deepEqual(await store.putDag(dag('etl', { suspended: true }), 'h1', 'a.yaml', 2), {
      version: 1,
      created: false,
    })
    const stored = {
      dag: dag('etl', { suspended: true }),
      hash: 'h1',
      version: 1,
      source: 'a.yaml',
      createdAt: 1,
    }
    assert.deepEqual(await store.dag('default', 'etl'), stored)
    assert.deepEqual(await store.dagByHash('h1'), stored)
    assert.deepEqual(await store.dags(), [stored])
    assert.equal(await store.dagByHash('h2'), null)
    assert.equal(await store.dag('default', 'nobody'), null)
  })

  withStore(
    'an edit is the next version, the old one stays; going back makes it current again',
    async store => {
      const edited = dag('etl', { priority: 9 })
      await store.putDag(dag('etl'), 'h1', null, 1)
      assert.deepEqual(await store.putDag(edited, 'h2', null, 2), { version: 2, created: true })
      assert.deepEqual((await store.dag('default', 'etl'))?.dag, edited)
      assert.equal((await store.dag('default', 'etl', 1))?.hash, 'h1')
      assert.equal(await store.dag('default', 'etl', 3), null)
      assert.deepEqual(await store.putDag(dag('etl'), 'h1', null, 3), { version: 1, created: false })
      assert.equal((await store.dag('default', 'etl'))?.version, 1)
    },
  )

  withStore(
    'a removed DAG is not listed, its versions stay, and putting it again brings it back',
    async store => {
      await store.putDag(dag('b'), 'hb', null, 1)
      await store.putDag(dag('a'), 'ha', null, 1)
      await store.removeDag('default', 'a', 2)
      await store.removeDag('default', 'nobody', 2)
      assert.deepEqual(
        (await store.dags()).map(({ dag }) => dag.name),
        ['b'],
      )
      assert.equal((await store.dag('default', 'a'))?.version, 1)
      await store.putDag(dag('a'), 'ha', null, 3)
      assert.deepEqual(
        (await store.dags()).map(({ dag }) => dag.name),
        ['a', 'b'],
      )
    },
  )

  withStore('a DAG is put only over what was expected to be in force', async store => {
    const put = (hash: string, expected: Parameters<Store['putDag']>[4], over: Partial<Dag> = {}) =>
      store.putDag(dag('etl', over), hash, null, 1, expected)
    await refused('VERSION_CONFLICT', put('h1', { hash: 'h0', suspended: false }))
    await put('h1', null)
    await refused('VERSION_CONFLICT', put('h2', null))
    await refused('VERSION_CONFLICT', put('h2', { hash: 'h1', suspended: true }))
    await put('h1', { hash: 'h1', suspended: false }, { suspended: true })
    await refused('VERSION_CONFLICT', put('h2', { hash: 'h1', suspended: false }))
    assert.deepEqual(await store.dagVersions('default', 'etl'), [
      { version: 1, hash: 'h1', source: null, createdAt: 1 },
    ])
    await put('h2', { hash: 'h1', suspended: true })
    await store.removeDag('default', 'etl', 2)
    await refused('VERSION_CONFLICT', put('h1', { hash: 'h2', suspended: false }))
    await put('h1', null)
    assert.deepEqual(
      (await store.dagVersions('default', 'etl')).map(({ version }) => version),
      [2, 1],
    )
    assert.deepEqual(await store.dagVersions('default', 'nobody'), [])
  })

  withStore('two that put the same new content at once make one version', async store => {
    const put = await Promise.all([1, 2, 3].map(at => store.putDag(dag('etl'), 'h1', null, at)))
    assert.deepEqual(
      put.map(({ version }) => version),
      [1, 1, 1],
    )
    assert.equal(put.filter(({ created }) => created).length, 1)
  })

  withStore('a DagTask is numbered by content', async store => {
    assert.equal(await store.putDagTask('default', 'build', { image: 'a' }, 'h1', 1), 1)
    assert.equal(await store.putDagTask('default', 'build', { image: 'a' }, 'h1', 2), 1)
    assert.equal(await store.putDagTask('default', 'build', { image: 'b' }, 'h2', 3), 2)
    assert.equal(await store.putDagTask('other', 'build', { image: 'b' }, 'h2', 3), 1)
    assert.deepEqual(await store.dagTask('default', 'build', 1), { image: 'a' })
    assert.equal(await store.dagTask('default', 'build', 3), null)
    assert.deepEqual(await store.dagTaskVersions('default', 'build'), [1, 2])
    assert.deepEqual(await store.dagTaskVersions('default', 'nobody'), [])
  })
}

function owners(withStore: WithStore): void {
  withStore('engines say that they live, and go', async store => {
    const engine: EngineRow = { id: 'e1', pid: 7, processStart: '9', bootId: 'b', host: 'h', seenAt: 1 }
    await store.beat(engine)
    await store.beat({ ...engine, seenAt: 2 })
    await store.beat({ ...engine, id: 'e0' })
    assert.deepEqual(await store.engines(), [
      { ...engine, id: 'e0' },
      { ...engine, seenAt: 2 },
    ])
    await store.removeEngine('e0')
    await store.removeEngine('nobody')
    assert.deepEqual(await store.engines(), [{ ...engine, seenAt: 2 }])
  })

  withStore('of many that claim a run from the same owner, one gets it', async store => {
    await store.append(append('r', 0))
    const claims = await Promise.all(['a', 'b', 'c'].map(to => store.claim('r', null, to)))
    assert.deepEqual(claims, [true, false, false])
    assert.equal((await store.run('r'))?.owner, 'a')
    assert.equal(await store.claim('r', 'b', 'c'), false)
    assert.equal(await store.claim('r', 'a', null), true)
    assert.equal(await store.claim('nobody', null, 'a'), false)
    await store.append(settle('r', 1))
    assert.equal(await store.claim('r', null, 'a'), false)
  })

  withStore('unsettled runs, oldest first, of all, of one, of nobody', async store => {
    await store.append(
      append('b', 0, { engine: 'e1', rows: { run: runRow('b', { createdAt: 2 }), tasks: [], attempts: [] } }),
    )
    await store.append(
      append('a', 0, { engine: 'e1', rows: { run: runRow('a', { createdAt: 3 }), tasks: [], attempts: [] } }),
    )
    await store.append(
      append('c', 0, {
        rows: { run: runRow('c', { createdAt: 1, phase: 'queued' }), tasks: [], attempts: [] },
      }),
    )
    await store.append(settle('d', 0))
    const ids = async (owner?: string | null) => (await store.unsettled(owner)).map(run => run.id)
    assert.deepEqual(await ids(), ['c', 'b', 'a'])
    assert.deepEqual(await ids('e1'), ['b', 'a'])
    assert.deepEqual(await ids(null), ['c'])
    assert.deepEqual(await ids('e2'), [])
  })
}

function schedules(withStore: WithStore): void {
  const skip = (from: number, to: number) => ({ from, to, count: 2, reason: 'CATCH_UP' as const, at: 99 })
  const mark = (highWater: number, skips: Advance['skips'] = []) => ({
    namespace: 'default',
    dag: 'etl',
    highWater,
    skips,
  })

  withStore('the mark of a schedule never moves back, and skips are kept newest first', async store => {
    assert.equal(await store.highWater('default', 'etl'), null)
    await store.advance(mark(100, [skip(50, 90), skip(95, 100)]))
    await store.advance(mark(40))
    await store.advance(mark(200))
    assert.equal(await store.highWater('default', 'etl'), 200)
    assert.deepEqual(await store.skips('default', 'etl', 9), [skip(95, 100), skip(50, 90)])
    assert.deepEqual(await store.skips('default', 'etl', 1), [skip(95, 100)])
    assert.equal(await store.highWater('default', 'other'), null)
  })

  withStore('a tick that was dealt with is not skipped afterwards', async store => {
    await store.advance(mark(100))
    await refused('VERSION_CONFLICT', store.advance(mark(150, [skip(100, 120)])))
    assert.equal(await store.highWater('default', 'etl'), 100)
    assert.deepEqual(await store.skips('default', 'etl', 9), [])
  })

  withStore('a scheduled run and its mark are one transaction', async store => {
    await store.append(append('r', 0, { advance: mark(100, [skip(10, 90)]) }))
    assert.equal(await store.highWater('default', 'etl'), 100)
    assert.deepEqual(await store.skips('default', 'etl', 9), [skip(10, 90)])
    await refused('DUPLICATE_RUN', store.append(append('r', 0, { advance: mark(300) })))
    assert.equal(await store.highWater('default', 'etl'), 100)
  })

  withStore(
    'a tick that was skipped, or whose turn is past, does not become a run afterwards',
    async store => {
      await store.advance(mark(100, [skip(100, 100)]))
      await refused('VERSION_CONFLICT', store.append(append('r', 0, { advance: mark(100) })))
      assert.equal(await store.run('r'), null)
      assert.equal(await store.runOfTrigger('default', 'etl', 'manual', 'r'), null)
    },
  )
}

function feed(withStore: WithStore): void {
  withStore('the feed has one entry for each append, in order, and is read on from anywhere', async store => {
    assert.equal(await store.feedEnd(), 0)
    for (let version = 0; version < 5; version += 1) await store.append(append('r', version))
    assert.equal(await store.feedEnd(), 5)
    assert.deepEqual(
      (await store.feed(2, 2)).map(entry => [entry.seq, entry.run, entry.version]),
      [
        [3, 'r', 3],
        [4, 'r', 4],
      ],
    )
    assert.deepEqual(await store.feed(5, 10), [])
  })

  withStore('changes say which events an append brought, and are filtered by place and run', async store => {
    const rows = (id: string, over: Partial<RunRow>) => ({ run: runRow(id, over), tasks: [], attempts: [] })
    const two = [event(1), event(2)]
    await store.append(append('r', 0, { events: two, rows: rows('r', { namespace: 'a' }) }))
    await store.append(append('s', 0, { rows: rows('s', { namespace: 'b', dag: 'other' }) }))
    await store.append(append('r', 2, { rows: rows('r', { namespace: 'a' }) }))
    const first = { seq: 1, run: 'r', from: 0, version: 2, namespace: 'a', dag: 'etl', dagHash: 'hash' }
    const second = { seq: 2, run: 's', from: 0, version: 1, namespace: 'b', dag: 'other', dagHash: 'hash' }
    const third = { seq: 3, run: 'r', from: 2, version: 3, namespace: 'a', dag: 'etl', dagHash: 'hash' }
    assert.deepEqual(await store.changes({ after: 0, limit: 9 }), [first, second, third])
    assert.deepEqual(await store.changes({ after: 0, limit: 1 }), [first])
    assert.deepEqual(await store.changes({ after: 1, limit: 9, run: 'r' }), [third])
    assert.deepEqual(await store.changes({ after: 0, limit: 9, namespaces: ['b', 'c'] }), [second])
    assert.deepEqual(await store.changes({ after: 0, limit: 9, namespaces: [] }), [])
    assert.deepEqual(await store.changes({ after: 0, limit: 9, namespace: 'a', dag: 'other' }), [])
    assert.deepEqual(
      (await store.events('r', 1, 1)).map(({ at }) => at),
      [2],
    )
  })

  withStore(
    'numbers of the feed are never given twice, even after its newest run was removed',
    async store => {
      await store.append(settle('a', 0))
      await store.removeRun('a')
      await store.append(append('b', 0))
      assert.deepEqual(await store.feed(0, 9), [{ seq: 2, run: 'b', version: 1 }])
    },
  )

  withStore(
    'the change mark moves with every commit, of this store and of one beside it',
    async (store, { beside }) => {
      const marks = [await store.changeMark()]
      await store.append(append('a', 0))
      marks.push(await store.changeMark())
      await store.putDag(dag('etl'), 'h', null, 1)
      marks.push(await store.changeMark())
      if (beside !== null) {
        const other = await beside()
        const before = await other.changeMark()
        await other.append(append('b', 0))
        assert.notEqual(await other.changeMark(), before)
        marks.push(await store.changeMark())
        await other.close()
      }
      assert.equal(new Set(marks).size, marks.length, marks.join(' '))
      assert.equal(await store.changeMark(), await store.changeMark())
    },
  )
}

function removal(withStore: WithStore): void {
  withStore('removeRun takes a settled run with everything of it, and leaves the others', async store => {
    const rows = (run: string) => ({
      run: runRow(run, { labels: { team: 'x' } }),
      tasks: Array.from({ length: 4_500 }, (_, index) => taskRow(run, index)),
      attempts: [attemptRow(run, 't0', 1)],
    })
    await store.append(append('a', 0, { rows: rows('a') }))
    await store.append(append('b', 0, { rows: rows('b') }))
    assert.equal(await store.removeRun('a'), false)
    assert.equal((await store.events('a')).length, 1)
    await store.append(settle('a', 1, { labels: { team: 'x' } }))
    assert.equal(await store.removeRun('a'), true)
    assert.equal(await store.removeRun('a'), false)
    assert.equal(await store.run('a'), null)
    assert.deepEqual(await store.events('a'), [])
    assert.deepEqual((await store.tasks({ run: 'a' })).items, [])
    assert.deepEqual(await store.attempts('a'), [])
    assert.deepEqual(
      (await store.runs({ labels: { team: 'x' } })).items.map(run => run.id),
      ['b'],
    )
    assert.deepEqual(
      (await store.feed(0, 9)).map(entry => entry.run),
      ['b'],
    )
    assert.equal((await store.tasks({ run: 'b', limit: 5_000 })).items.length, 4_500)
  })

  withStore('the trigger key of a removed run still gives no second run', async store => {
    await store.append(settle('a', 0))
    await store.removeRun('a')
    assert.equal((await refused('DUPLICATE_RUN', store.append(append('a', 0)))).existing, 'a')
  })

  withStore('a backup is a whole store of its own, and replaces no file', async (store, { backup }) => {
    if (backup === null) {
      const error = await refused('DATABASE_UNAVAILABLE', store.backup('nowhere'))
      assert.match(error.message, /its own tools/)
      return
    }
    await store.append(append('r', 0))
    await store.backup(backup.file)
    await store.append(append('r', 1))
    await refused('DATABASE_UNAVAILABLE', store.backup(backup.file))
    const copy = await backup.open(backup.file)
    assert.equal((await copy.run('r'))?.version, 1)
    await copy.append(append('r', 1))
    await copy.close()
    assert.equal(await store.feedEnd(), 2)
  })

  withStore(
    'closing writes what was asked for before it, and refuses what comes after',
    async (store, { beside }) => {
      const [, other] = [store.append(append('r', 0)), beside === null ? null : await beside()]
      await Promise.all([store.append(append('r', 1)), store.close()])
      await refused('DATABASE_UNAVAILABLE', store.append(append('r', 2)))
      if (other === null) return
      assert.equal((await other.run('r'))?.version, 2)
      await other.close()
    },
  )
}
