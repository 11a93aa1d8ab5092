import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LINE_BYTES_MAX, type LogSink, prefixSink, rawSink, terminalSink, terminalText } from './log-text.ts'

/** Feeds bytes in pieces and gives all that was written. */
function written(sink: LogSink, pieces: readonly Uint8Array[]): Buffer {
  const parts = [...pieces.flatMap(piece => sink.take(piece)), ...sink.end()]
  return Buffer.concat(parts.map(part => Buffer.from(part)))
}

const bytesAndCuts = fc.record({
  bytes: fc.array(fc.constantFrom(0, 10, 13, 27, 91, 51, 49, 109, 65, 0xc3, 0xa4, 0xff), { maxLength: 60 }),
  cuts: fc.array(fc.nat(60), { maxLength: 6 }),
})

function piecesOf({ bytes, cuts }: { bytes: number[]; cuts: number[] }): Uint8Array[] {
  const places = [0, ...cuts.map(cut => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length]
  return places.slice(1).map((to, at) => Uint8Array.from(bytes.slice(places[at], to)))
}

test('raw: the bytes as they are, however they come', () => {
  fc.assert(
    fc.property(bytesAndCuts, given => {
      assert.deepEqual(written(rawSink(), piecesOf(given)), Buffer.from(given.bytes))
    }),
  )
})

test('prefixed: whole lines with their own bytes, however they come', () => {
  fc.assert(
    fc.property(bytesAndCuts, given => {
      const whole = Buffer.from(given.bytes).toString('latin1')
      const lines = whole.split('\n')
      if (lines.at(-1) === '') lines.pop()
      const expected = lines.map(line => `a | ${line}\n`).join('')
      assert.equal(written(prefixSink('a | ', null), piecesOf(given)).toString('latin1'), expected)
    }),
  )
})

test('prefixed: an endless line is shown in pieces, so that it is never held in memory', () => {
  const sink = prefixSink('a | ', null)
  const piece = new Uint8Array(LINE_BYTES_MAX / 4).fill(65)
  const held = Array.from({ length: 3 }, () => sink.take(piece).length)
  assert.deepEqual(held, [0, 0, 0])
  assert.equal(sink.take(piece).length, 1)
  assert.deepEqual(sink.end(), [])
})

test('terminal: what is shown does not hang on how the bytes come', () => {
  fc.assert(
    fc.property(bytesAndCuts, given => {
      const plain = (pieces: readonly Uint8Array[]): string => written(terminalSink(false), pieces).toString()
      assert.equal(plain(piecesOf(given)), plain([Uint8Array.from(given.bytes)]))
    }),
  )
})

test('terminal: no control character but line ends, tabs and colours reaches it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 20 }), text => {
      assert.doesNotMatch(terminalText(text, false), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
    }),
  )
  assert.equal(
    terminalText('a\u0007b\u001b]0;title\u0007c\u202ed', false),
    'a\ufffdb\ufffd]0;title\ufffdc\ufffdd',
  )
})

test('terminal: colours stay with colour and are reset, go without; text is never hidden', () => {
  assert.equal(terminalText('\u001b[1;31mred\u001b[0m', true), '\u001b[1;31mred\u001b[0m\u001b[0m')
  assert.equal(terminalText('\u001b[1;31mred\u001b[0m', false), 'red')
  assert.equal(terminalText('\u001b[8mhidden', true), '\ufffd[8mhidden')
  assert.equal(terminalText('\u001b[2J', true), '\ufffd[2J')
})

test('terminal: a progress bar becomes lines, a last half line ends', () => {
  const text = (pieces: readonly string[]): string =>
    written(
      terminalSink(false),
      pieces.map(piece => Buffer.from(piece)),
    ).toString()
  assert.equal(text(['10%\r', '20%\r\n', 'done']), '10%\n20%\ndone\n')
  assert.equal(text(['done\n']), 'done\n')
})

test('prefixed in a terminal: of a progress bar what stood there last', () => {
  const sink = prefixSink('a | ', { color: false })
  assert.equal(written(sink, [Buffer.from('10%\r20%\r\ndone')]).toString(), 'a | 20%\na | done\n')
})
