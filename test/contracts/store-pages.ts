import assert from 'node:assert/strict'
import type { RunPhase, RunRow } from '../../src/core/run/rows.ts'
import type { DagQuery, RunQuery, Store, StoredRun } from '../../src/ports/store.ts'
import { refused, type WithStore } from './store.ts'
import { append, dag, runRow, settle, taskRow } from './store-records.ts'

const PHASES: readonly RunPhase[] = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']

export function pagesContract(withStore: WithStore): void {
  withStore(
    'every filter, alone and together, finds what a plain filter over all runs finds',
    async store => {
      const all = await seed(store)
      for (const query of queries()) {
        const wanted = all.filter(run => matches(run, query)).toSorted(newestFirst)
        assert.deepEqual(
          await everything(store, { ...query, limit: 7 }),
          wanted.map(run => run.id),
          JSON.stringify(query),
        )
      }
    },
  )

  withStore('counts by phase are those of the runs that a query of the same scope finds', async store => {
    const all = await seed(store)
    for (const scope of [
      {},
      { namespace: 'a' },
      { namespaces: ['a', 'b'], dag: 'd1' },
      { namespaces: [] },
      { createdFrom: 100 },
    ]) {
      const wanted: Partial<Record<RunPhase, number>> = {}
      for (const { phase } of all.filter(run => matches(run, scope))) wanted[phase] = (wanted[phase] ?? 0) + 1
      assert.deepEqual(Object.fromEntries(await store.runCounts(scope)), wanted, JSON.stringify(scope))
    }
  })

  withStore('a name that thousands of runs begin with is filtered, newest first', async store => {
    const runs = Array.from({ length: 1_200 }, (_, index) =>
      runRow(`r${index}`, {
        createdAt: index,
        name: 'same',
        namespace: index % 2 === 0 ? 'a' : 'b',
        labels: index % 3 === 0 ? { team: 'x' } : {},
      }),
    )
    await Promise.all(runs.map(run => store.append(append(run.id, 0, { rows: rowsOf(run) }))))
    const ids = async (query: RunQuery) => (await store.runs({ ...query, limit: 2 })).items.map(run => run.id)
    assert.deepEqual(await ids({ namePrefix: 'sa', namespaces: ['a'] }), ['r1198', 'r1196'])
    assert.deepEqual(await ids({ namePrefix: 'sa', labels: { team: 'x' } }), ['r1197', 'r1194'])
    assert.deepEqual(await ids({ namePrefix: 'sb' }), [])
  })

  withStore('DAGs come page by page, only those that are asked for, and no removed one', async store => {
    for (const namespace of ['b', 'a', 'c'])
      for (const name of ['etl', 'etl-2', 'nightly'])
        await store.putDag(dag(name, { namespace }), `${namespace}-${name}`, null, 1)
    await store.removeDag('c', 'etl', 2)
    const names = async (query: DagQuery): Promise<readonly string[]> => {
      const seen: string[] = []
      for (let after: string | undefined | null; after !== null; ) {
        const page: Awaited<ReturnType<Store['dagPage']>> = await store.dagPage({
          limit: 2,
          ...query,
          ...(after === undefined ? {} : { after }),
        })
        assert.ok(page.items.length <= 2)
        seen.push(...page.items.map(({ dag: { namespace, name } }) => `${namespace}/${name}`))
        after = page.next
      }
      return seen
    }
    const inA = ['a/etl', 'a/etl-2', 'a/nightly']
    const inB = ['b/etl', 'b/etl-2', 'b/nightly']
    assert.deepEqual(await names({}), [...inA, ...inB, 'c/etl-2', 'c/nightly'])
    assert.deepEqual(await names({ namespaces: ['b', 'a'] }), [...inA, ...inB])
    assert.deepEqual(await names({ namespaces: [] }), [])
    assert.deepEqual(await names({ namespace: 'a', namespaces: ['b'] }), [])
    assert.deepEqual(await names({ namespace: 'b', dag: 'etl' }), ['b/etl'])
    assert.deepEqual(await names({ namePrefix: 'etl-' }), ['a/etl-2', 'b/etl-2', 'c/etl-2'])
    await refused('BAD_CURSOR', store.dagPage({ after: 'x' }))
  })

  withStore('pages neither skip nor double a run when new ones come between them', async store => {
    const all = await seed(store)
    const seen: string[] = []
    let after: string | null = ''
    for (let page = 0; after !== null; page += 1) {
      const { items, next }: { items: readonly StoredRun[]; next: string | null } = await store.runs(
        after === '' ? { limit: 10 } : { limit: 10, after },
      )
      seen.push(...items.map(run => run.id))
      after = next
      await store.append(
        append(`later${page}`, 0, { rows: rowsOf(runRow(`later${page}`, { createdAt: 99_999 })) }),
      )
    }
    assert.deepEqual(
      seen,
      all.toSorted(newestFirst).map(run => run.id),
    )
  })

  withStore('a run is found by label and phase after its phase has changed', async store => {
    const labels = { team: 'data' }
    await store.append(append('r', 0, { rows: rowsOf(runRow('r', { labels })) }))
    await store.append(settle('r', 1, { labels, phase: 'failed' }))
    assert.equal((await store.runs({ labels, phases: ['running'] })).items.length, 0)
    assert.equal((await store.runs({ labels, phases: ['failed'] })).items.length, 1)
  })

  withStore('limits are kept within bounds, and a foreign cursor is BAD_CURSOR', async store => {
    await seed(store)
    assert.equal((await store.runs({ limit: 0 })).items.length, 1)
    assert.equal((await store.runs({})).items.length, 50)
    assert.equal((await store.runs({ limit: 1e9 })).items.length, 120)
    assert.deepEqual(await store.runs({ phases: [] }), { items: [], next: null })
    for (const after of ['', 'x', '!!', Buffer.from('{"at":1}').toString('base64url')])
      await refused('BAD_CURSOR', store.runs({ after }))
    await refused('BAD_CURSOR', store.tasks({ run: 'r', after: 'x' }))
  })

  withStore('runsLike finds the start of an id or a name, newest first', async store => {
    await store.append(append('ab1', 0, { rows: rowsOf(runRow('ab1', { name: 'x', createdAt: 1 })) }))
    await store.append(append('ab2', 0, { rows: rowsOf(runRow('ab2', { name: 'y', createdAt: 3 })) }))
    await store.append(append('q', 0, { rows: rowsOf(runRow('q', { name: 'abc', createdAt: 2 })) }))
    const ids = async (prefix: string, limit = 10) => (await store.runsLike(prefix, limit)).map(run => run.id)
    assert.deepEqual(await ids('ab'), ['ab2', 'q', 'ab1'])
    assert.deepEqual(await ids('ab', 2), ['ab2', 'q'])
    assert.deepEqual(await ids(''), ['ab2', 'q', 'ab1'])
    assert.deepEqual(await ids('ab1'), ['ab1'])
    assert.deepEqual(await ids('a%'), [])
    assert.deepEqual(await ids('b'), [])
  })

  withStore('runsLike gives the newest where thousands match', async store => {
    const runs = Array.from({ length: 1_500 }, (_, index) =>
      runRow(`r${index}`, { createdAt: index, name: 'same' }),
    )
    await Promise.all(runs.map(run => store.append(append(run.id, 0, { rows: rowsOf(run) }))))
    assert.deepEqual(
      (await store.runsLike('same', 3)).map(run => run.id),
      ['r1499', 'r1498', 'r1497'],
    )
  })

  withStore('tasks come in the order of the plan, page by page, by state too', async store => {
    const states = ['pending', 'running', 'failed'] as const
    const tasks = Array.from({ length: 100 }, (_, index) =>
      taskRow('r', index, { state: states[index % 3] ?? 'pending' }),
    )
    await store.append(
      append('r', 0, { rows: { run: runRow('r'), tasks: tasks.toReversed(), attempts: [] } }),
    )
    await store.append(
      append('other', 0, { rows: { run: runRow('other'), tasks: [taskRow('other', 0)], attempts: [] } }),
    )
    for (const wanted of [
      undefined,
      ['failed'],
      ['running', 'failed'],
      ['failed', 'failed'],
      ['skipped'],
      [],
    ] as const) {
      const seen: number[] = []
      for (let after: string | undefined | null; after !== null; ) {
        const page: Awaited<ReturnType<Store['tasks']>> = await store.tasks({
          run: 'r',
          limit: 9,
          ...(wanted === undefined ? {} : { states: wanted }),
          ...(after === undefined ? {} : { after }),
        })
        seen.push(...page.items.map(task => task.index))
        after = page.next
      }
      const expected = tasks.filter(({ state }) => wanted === undefined || wanted.some(one => one === state))
      assert.deepEqual(
        seen,
        expected.map(task => task.index),
      )
    }
  })
}

function rowsOf(run: RunRow) {
  return { run, tasks: [], attempts: [] }
}

/** 120 runs, several with the same time, spread over everything a query can ask for. */
async function seed(store: Store): Promise<readonly RunRow[]> {
  const all = Array.from({ length: 120 }, (_, index) =>
    runRow(`r${String(index).padStart(3, '0')}`, {
      createdAt: Math.floor(index / 4) * 10,
      namespace: index % 3 === 0 ? 'a' : 'b',
      dag: `d${index % 5}`,
      phase: PHASES[index % PHASES.length] ?? 'running',
      parentRun: index % 10 === 0 ? 'parent' : null,
      labels: {
        ...(index % 2 === 0 ? { team: 'x' } : {}),
        ...(index % 7 === 0 ? { tier: 'gold', team: 'y' } : {}),
      },
    }),
  )
  await Promise.all(all.map(run => store.append(append(run.id, 0, { rows: rowsOf(run) }))))
  return all
}

function queries(): readonly RunQuery[] {
  const many = ['b', ...Array.from({ length: 20 }, (_, index) => `n${index}`)]
  const scopes: readonly RunQuery[] = [
    {},
    { namespace: 'a' },
    { dag: 'd1' },
    { namespace: 'b', dag: 'd2' },
    { namespaces: ['a', 'c', 'a'] },
    { namespaces: many, dag: 'd1' },
    { namespaces: ['a'], namespace: 'b' },
    { namespaces: [] },
    { namePrefix: 'etl-r01' },
    { namePrefix: 'etl-', namespaces: ['a', 'b'] },
    { namePrefix: 'nobody' },
  ]
  const phases: readonly RunQuery[] = [{}, { phases: ['failed'] }, { phases: ['running', 'queued'] }]
  const labels: readonly RunQuery[] = [
    {},
    { labels: { team: 'x' } },
    { labels: { team: 'y', tier: 'gold' } },
    { labels: { team: 'x', tier: 'gold' } },
    { labels: { nobody: 'x' } },
  ]
  const times: readonly RunQuery[] = [
    {},
    { createdFrom: 50, createdBefore: 200 },
    { parentRun: 'parent' },
    { parentRun: null },
  ]
  return scopes.flatMap(a =>
    phases.flatMap(b => labels.flatMap(c => times.map(d => ({ ...a, ...b, ...c, ...d })))),
  )
}

function matches(run: RunRow, query: RunQuery): boolean {
  return (
    (query.namespace === undefined || run.namespace === query.namespace) &&
    (query.namespaces === undefined || query.namespaces.includes(run.namespace)) &&
    (query.namePrefix === undefined || run.name.startsWith(query.namePrefix)) &&
    (query.dag === undefined || run.dag === query.dag) &&
    (query.phases === undefined || query.phases.includes(run.phase)) &&
    (query.parentRun === undefined || run.parentRun === query.parentRun) &&
    (query.createdFrom === undefined || run.createdAt >= query.createdFrom) &&
    (query.createdBefore === undefined || run.createdAt < query.createdBefore) &&
    Object.entries(query.labels ?? {}).every(([key, value]) => run.labels[key] === value)
  )
}

function newestFirst(a: RunRow, b: RunRow): number {
  return b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1)
}

async function everything(store: Store, query: RunQuery): Promise<readonly string[]> {
  const ids: string[] = []
  for (let after: string | undefined | null; after !== null; ) {
    const page: Awaited<ReturnType<Store['runs']>> = await store.runs(
      after === undefined ? query : { ...query, after },
    )
    assert.ok(page.items.length <= (query.limit ?? 50))
    ids.push(...page.items.map(run => run.id))
    after = page.next
  }
  return ids
}
