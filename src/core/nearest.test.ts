import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from './nearest.ts'

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
