import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { offsetOfLast } from './log-tail.ts'

const lastLines = async (text: string, lines: number): Promise<string> => {
  const bytes = Buffer.from(text)
  const read = (from: number, count: number): Promise<Uint8Array> =>
    Promise.resolve(bytes.subarray(from, from + count))
  return bytes.subarray(await offsetOfLast(lines, bytes.length, read)).toString()
}

test('the last lines, with or without an end of the last one', async () => {
  assert.equal(await lastLines('a\nb\nc\n', 2), 'b\nc\n')
  assert.equal(await lastLines('a\nb\nc', 2), 'b\nc')
  assert.equal(await lastLines('\n\n\n', 1), '\n')
  assert.equal(await lastLines('a\nb\n', 0), '')
  assert.equal(await lastLines('a\nb\n', 9), 'a\nb\n')
  assert.equal(await lastLines('', 3), '')
})

test('lines longer than what is read at once', async () => {
  const long = 'x'.repeat(700_000)
  assert.equal(await lastLines(`a\n${long}\nb\n`, 2), `${long}\nb\n`)
  assert.equal(await lastLines(`${long}\n${long}`, 1), long)
})

test('never more lines than asked for, and always an end of the text', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('a', '\n'), { maxLength: 30 }),
      fc.integer({ min: 1, max: 5 }),
      async (letters, lines) => {
        const text = letters.join('')
        const end = await lastLines(text, lines)
        const all = text.replace(/\n$/, '').split('\n')
        const expected = all.slice(-lines).join('\n') + (text.endsWith('\n') ? '\n' : '')
        assert.equal(end, text === '' ? '' : expected)
      },
    ),
  )
})
