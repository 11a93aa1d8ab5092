import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limitOf, refuseWithDags, runColumns, type RunLine } from './listing.ts'
import { tableLines } from './show/table.ts'
import { painter } from './show/text.ts'

const NOW = Date.UTC(2026, 0, 1)
const LINE: RunLine = {
  name: 'nightly-x7k2p',
  namespace: 'data',
  dag: 'nightly',
  phase: 'failed',
  done: '1/2',
  createdAt: NOW - 60_000,
  took: '5.0s',
  trigger: 'manual',
  id: 'run-1',
  labels: { team: 'a' },
  message: 'build failed',
}
const paint = painter(false)
const titles = (wide: boolean, namespaces: boolean): string =>
  runColumns({ paint, now: NOW, wide, namespaces })
    .map(({ title }) => title)
    .join(' ')

test('what chooses among runs is refused where DAGs are listed, and not passed over', () => {
  refuseWithDags({ phase: undefined, since: undefined, children: false })
  assert.throws(() => refuseWithDags({ phase: ['failed'], since: undefined }), {
    code: 'BAD_OPTION',
    message: '--phase chooses runs, and DAGs are listed',
  })
})

test('all is without limit, and a limit that is none is still told', () => {
  assert.equal(limitOf({ limit: '30' }), 30)
  assert.equal(limitOf({ limit: '30', all: true }), Number.POSITIVE_INFINITY)
  assert.throws(() => limitOf({ limit: 'x', all: true }), { code: 'BAD_OPTION' })
})

test('a namespace is told once: in front of runs of several, else where there is room', () => {
  assert.equal(titles(false, false), 'RUN DAG PHASE DONE AGE TOOK MESSAGE')
  assert.equal(titles(false, true), 'NAMESPACE RUN DAG PHASE DONE AGE TOOK MESSAGE')
  assert.equal(titles(true, false), 'RUN DAG PHASE DONE AGE TOOK CREATED NAMESPACE TRIGGER ID LABELS MESSAGE')
})

test('an interrupted run has a mark of its own', () => {
  const columns = runColumns({ paint, now: NOW, wide: false, namespaces: false })
  const [, line] = tableLines(columns, [{ ...LINE, phase: 'interrupted' }], { paint, width: 200 })
  assert.match(line ?? '', /^nightly-x7k2p +nightly +! interrupted +1\/2 +1m +5\.0s +build failed$/)
})
