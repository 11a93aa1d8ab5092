import assert from 'node:assert/strict'
import { test } from 'node:test'
import { didYouMean, meantOr, suggester } from './did-you-mean.ts'

test('the nearest name is offered, and nothing when none is near', () => {
  assert.equal(meantOr('imgae', ['command', 'image'], 'remove it'), 'did you mean image?')
  assert.equal(meantOr('colour', ['command', 'image'], 'remove it'), 'remove it')
})

test('a hostile word or crowd of names costs nothing', () => {
  assert.equal(didYouMean('x'.repeat(1_000_000), ['x']), null)
  let looked = 0
  const crowd = function* (): Generator<string> {
    for (;;) {
      looked += 1
      yield 'something'
    }
  }
  assert.equal(didYouMean('else', crowd()), null)
  assert.ok(looked <= 10_001)
})

test('in a loop it stops looking after a while', () => {
  const meant = suggester(['image'])
  const fixes = Array.from({ length: 1000 }, () => meant('imgae', 'look it up'))
  assert.equal(fixes[0], 'did you mean image?')
  assert.equal(fixes.at(-1), 'look it up')
})
