import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { PROBLEM_CODES } from './problem-codes.ts'

const sources = globSync('src/**/*.ts')
  .filter(file => !file.endsWith('.test.ts') && !file.endsWith('problem-codes.ts'))
  .map(file => readFileSync(file, 'utf8'))
  .join('\n')

test('every code in the table is used somewhere', () => {
  for (const code of Object.keys(PROBLEM_CODES)) assert.match(sources, new RegExp(`'${code}'`), code)
})

test('a code says in one line what it means', () => {
  for (const [code, meaning] of Object.entries(PROBLEM_CODES)) {
    assert.match(code, /^[A-Z]+(?:_[A-Z]+)+$/)
    assert.match(meaning, /^[^\n]{10,110}[^.\s]$/, code)
  }
})
