import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LineTooLong, lineSplitter } from './lines.ts'

const split = (chunks: readonly Buffer[]): { lines: string[]; pending: number } => {
  const lines: string[] = []
  const splitter = lineSplitter(1_000_000)
  for (const chunk of chunks) splitter.push(chunk, line => lines.push(line.toString('latin1')))
  return { lines, pending: splitter.pending }
}

test('lines are the same however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.constantFrom(10, 65, 66, 195, 164), { maxLength: 20 }), { maxLength: 20 }),
      pieces => {
        const whole = Buffer.from(pieces.flat())
        const { lines, pending } = split(pieces.map(piece => Buffer.from(piece)))
        const expected = whole.toString('latin1').split('\n')
        assert.equal(pending, expected.pop()?.length)
        assert.deepEqual(
          lines,
          expected.filter(line => line !== ''),
        )
      },
    ),
  )
})

test('a letter that is cut in two is whole in its line', () => {
  const bytes = Buffer.from('ä\n')
  let line = ''
  const splitter = lineSplitter(100)
  for (const byte of bytes) splitter.push(Buffer.from([byte]), whole => (line = whole.toString('utf8')))
  assert.equal(line, 'ä')
})

test('a line is kept as it was, although the next chunk comes while it is held', () => {
  const held: Buffer[] = []
  const splitter = lineSplitter(100)
  splitter.push(Buffer.from('one\ntw'), line => held.push(line))
  splitter.push(Buffer.from('o\nthree\n'), line => held.push(line))
  assert.deepEqual(held.map(String), ['one', 'two', 'three'])
})

test('a line beyond the limit is an error, also when it comes in pieces', () => {
  const splitter = lineSplitter(10)
  splitter.push(Buffer.from('1234567890'), () => undefined)
  assert.throws(() => splitter.push(Buffer.from('1'), () => undefined), LineTooLong)
})
