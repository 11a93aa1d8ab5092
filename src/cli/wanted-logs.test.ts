import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wantedLogs } from './wanted-logs.ts'

test('a task is named behind the run or by an option; two are one too many', () => {
  assert.equal(wantedLogs('load', {}).task, 'load')
  assert.equal(wantedLogs(undefined, { task: 'load' }).task, 'load')
  assert.equal(wantedLogs('load', { task: 'load' }).task, 'load')
  assert.throws(() => wantedLogs('load', { task: 'store' }), { code: 'BAD_OPTION' })
})

test('no lines may be wanted of what is there, but not the attempt before the first', () => {
  assert.equal(wantedLogs(undefined, { tail: '0' }).tail, 0)
  assert.throws(() => wantedLogs(undefined, { tail: '-1' }), { code: 'BAD_OPTION' })
  assert.throws(() => wantedLogs(undefined, { attempt: '0' }), { code: 'BAD_OPTION' })
})
