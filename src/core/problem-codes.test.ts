import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { PROBLEM_CODES } from './problem-codes.ts'

test('every code of the table is used somewhere', () => {
  const text = globSync('src/**/*.ts')
    .filter(file => !file.endsWith('.test.ts') && !file.endsWith('problem-codes.ts'))
    .map(file => readFileSync(file, 'utf8'))
    .join('\n')
  const unused = Object.keys(PROBLEM_CODES).filter(code => !text.includes(`'${code}'`))
  assert.deepEqual(unused, [])
})
