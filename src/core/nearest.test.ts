import assert from 'node:assert/strict'
import { test } from 'node:test'
import { meantOr, nearest, suggester } from './nearest.ts'

test('a slip of the finger finds the name that was meant', () => {
  for (const [word, meant] of [
    ['imgae', 'image'],
    ['iamge', 'image'],
    ['imag', 'image'],
    ['imagee', 'image'],
    ['Image', 'image'],
    ['comand', 'command'],
    ['paramaters', 'parameters'],
  ] as const) {
    assert.equal(nearest(word, ['args', 'image', 'command', 'parameters']), meant)
  }
})

test('something else altogether, a single letter and the name itself find nothing', () => {
  for (const word of ['volumes', 'x', '', 'image', 'imgaeee']) {
    assert.equal(nearest(word, ['a', 'image']), null)
  }
})

test('of equally near names the first is taken', () => {
  assert.equal(nearest('tesk', ['task', 'desk']), 'task')
  assert.equal(nearest('tesk', ['desk', 'task']), 'desk')
})

test('the nearest name is offered, and nothing when none is near', () => {
  assert.equal(meantOr('imgae', ['command', 'image'], 'remove it'), 'did you mean image?')
  assert.equal(meantOr('colour', ['command', 'image'], 'remove it'), 'remove it')
})

test('a hostile word or crowd of names costs nothing', () => {
  assert.equal(nearest('x'.repeat(1_000_000), ['x']), null)
  let looked = 0
  const crowd = function* (): Generator<string> {
    for (;;) {
      looked += 1
      yield 'something'
    }
  }
  assert.equal(nearest('else', crowd()), null)
  assert.ok(looked <= 10_001)
})

test('in a loop it stops looking after a while', () => {
  const meant = suggester(['image'])
  const fixes = Array.from({ length: 1000 }, () => meant('imgae', 'look it up'))
  assert.equal(fixes[0], 'did you mean image?')
  assert.equal(fixes.at(-1), 'look it up')
})
