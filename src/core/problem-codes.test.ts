import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { PROBLEM_CODES } from './problem-codes.ts'

test('the codes of expressions and the arrow language are those of the table, and each is used', () => {
  const files = ['src/core/expression/*.ts', 'src/core/dag/dsl*.ts'].flatMap(pattern => globSync(pattern))
  const text = files
    .filter(file => !file.endsWith('.test.ts'))
    .map(file => readFileSync(file, 'utf8'))
    .join('\n')
  const used = new Set([...text.matchAll(/'((?:CEL|DSL|TEMPLATE)_[A-Z_]+)'/g)].map(([, code]) => code ?? ''))
  const listed = Object.keys(PROBLEM_CODES).filter(code => /^(CEL|DSL|TEMPLATE)_/.test(code))
  assert.deepEqual([...used].toSorted(), listed.toSorted())
})
