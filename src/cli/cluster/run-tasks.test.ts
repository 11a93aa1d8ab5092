import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dag } from '../../core/dag/dag.ts'
import { loadDocuments } from '../../spec/load.ts'
import type { DagRunStatus } from '../../spec/schema/status.ts'
import { runOf } from './run-object.ts'
import { taskViews } from './run-tasks.ts'

/** `a b:a c:b? d*`: tasks, what they run after; with `?` a condition, with `*` a fan-out. */
function dagOf(text: string): Dag {
  const tasks = text.split(' ').map(word => {
    const [, name, after = '', mark] = /^(\w+)(?::([\w,]+))?([?*])?$/u.exec(word) ?? []
    const more = mark === '?' ? { when: 'true' } : mark === '*' ? { forEach: ['1', '2'] } : {}
    return { name, image: 'x', command: ['true'], runAfter: after.split(',').filter(Boolean), ...more }
  })
  const document = {
    apiVersion: 'kontroler.greedykomodo/v1alpha1',
    kind: 'DAG',
    metadata: { name: 'd' },
    spec: { task: tasks },
  }
  const { dags, problems } = loadDocuments([{ name: 'd', text: JSON.stringify(document) }], {
    namespace: 'n',
  })
  assert.deepEqual(problems, [])
  assert.ok(dags[0] !== undefined)
  return dags[0].dag
}

/** `phase 1/3 a=running b=failed` */
function states(dag: Dag | null, status: string): string {
  const [phase = '', progress = '', ...tasks] = status.split(' ')
  const over = ['succeeded', 'failed', 'cancelled'].includes(phase)
  const told: DagRunStatus = {
    phase,
    progress,
    observedGeneration: 1,
    startTime: '2026-01-01T00:00:00Z',
    ...(over ? { completionTime: '2026-01-01T00:01:00Z' } : {}),
    tasks: tasks.map(text => {
      const [name = '', state = ''] = text.split('=')
      return { name, state }
    }),
  }
  const metadata = { name: 'r', namespace: 'n', uid: 'u', resourceVersion: '1', generation: 1 }
  const run = runOf({ metadata, spec: { dagName: 'd' }, status: told })
  return taskViews(run, dag)
    .map(({ name, state }) => `${name}=${state ?? '?'}`)
    .join(' ')
}

test('what a status does not name follows from what it names', () => {
  const chain = dagOf('a b:a c:b')
  assert.equal(states(chain, 'running 1/3 b=running'), 'a=succeeded b=running c=pending')
  assert.equal(states(chain, 'succeeded 3/3'), 'a=succeeded b=succeeded c=succeeded')
  assert.equal(states(chain, 'failed 3/3 b=failed'), 'a=succeeded b=failed c=upstreamFailed')
  const parts = dagOf('a b c:a,b d:c')
  assert.equal(states(parts, 'running 1/4 b=running'), 'a=succeeded b=running c=pending d=pending')
})

test('what depends on a condition has settled, and nobody can say how', () => {
  assert.equal(states(dagOf('a b:a? c:b'), 'succeeded 3/3'), 'a=succeeded b=settled c=settled')
})

test('nothing is guessed that does not come out at the progress', () => {
  const chain = dagOf('a b:a c:b')
  assert.equal(states(chain, 'running 0/3 b=running'), 'a=? b=running c=?')
  assert.equal(states(chain, 'cancelled 3/3'), 'a=? b=? c=?')
})

test('without its DAG a run has the tasks that its status names; items stand under their task', () => {
  assert.equal(states(null, 'running 1/3 b=running'), 'b=running')
  assert.equal(
    states(dagOf('a* b:a'), 'running 1/3 a=running a[1]=running'),
    'a=running a[1]=running b=pending',
  )
})
