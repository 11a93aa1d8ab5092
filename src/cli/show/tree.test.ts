import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRun } from '../../core/run/create.ts'
import { decide } from '../../core/run/decide.ts'
import { evolve } from '../../core/run/evolve.ts'
import { type RunState, newRunState } from '../../core/run/state.ts'
import { compileExpression, compileTemplate, hasTemplate } from '../../core/expression/cel.ts'
import { loadDocuments } from '../../spec/load.ts'
import { painter, textWidth } from './text.ts'
import { treeLines } from './tree.ts'

const language = { compileExpression, compileTemplate, hasTemplate }

/** A run of a DAG with these names, each after the one that its number points at. */
function runOf(names: readonly string[], before: readonly number[]): RunState {
  const task = names.map((name, at) => ({
    name,
    image: 'x',
    script: 'true',
    runAfter: at === 0 || (before[at] ?? 0) % 3 === 0 ? [] : [names[(before[at] ?? 0) % at]],
  }))
  const document = {
    apiVersion: 'kontroler.greedykomodo/v1alpha1',
    kind: 'DAG',
    metadata: { name: 'drawn' },
    spec: { task },
  }
  const loaded = loadDocuments([{ name: 'drawn.yaml', text: JSON.stringify(document) }])
  const dag = loaded.dags[0]?.dag
  assert.ok(dag !== undefined, JSON.stringify(loaded.problems))
  const trigger = { kind: 'manual', key: 'k', by: 'tester' } as const
  const order = { run: 'r', name: 'drawn-one', dag, dagHash: 'h', parameters: [], labels: {}, trigger }
  const created = createRun({ ...order, workdir: null }, 0)
  assert.ok(created.ok)
  const state = newRunState(dag, created.value)
  for (const event of decide(state, 0, language)) evolve(state, event)
  return state
}

const taskNames = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,40}$/), { minLength: 1, maxLength: 40 })

test('never wider nor higher than the window, however small', () => {
  fc.assert(
    fc.property(
      taskNames,
      fc.array(fc.nat(50), { minLength: 40, maxLength: 40 }),
      fc.integer({ min: 24, max: 120 }),
      fc.integer({ min: 5, max: 50 }),
      (names, before, columns, rows) => {
        const lines = treeLines(runOf(names, before), 1_000, {
          paint: painter(false),
          columns,
          rows,
          frame: 3,
        })
        assert.ok(lines.length <= rows, `${lines.length} lines in ${rows} rows`)
        for (const line of lines) assert.ok(textWidth(line) <= columns, `${line} in ${columns} columns`)
      },
    ),
    { numRuns: 50 },
  )
})

test('dependents stand further right; what does not fit is counted', () => {
  const state = runOf(['a', 'b', 'c', 'd', 'e'], [0, 1, 4, 0, 0])
  const draw = (rows: number): readonly string[] =>
    treeLines(state, 0, { paint: painter(false), columns: 60, rows, frame: null })
  assert.deepEqual(draw(20), [
    '● drawn-one  0/5  0.0s',
    '  ◔ a    waits for a slot',
    '  ◔ d    waits for a slot',
    '  ◔ e    waits for a slot',
    '    ○ b  waits for a',
    '    ○ c  waits for a',
  ])
  assert.equal(draw(5).at(-1), '  … and 2 more: 2 pending')
})
