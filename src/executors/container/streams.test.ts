import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { frameReader } from './frames.ts'
import { kubeletLogReader } from './kubelet-log.ts'

/** Cuts bytes into chunks at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map(place => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end))
}

const bytes = fc.uint8Array({ maxLength: 40 }).map(array => Buffer.from(array))
const cuts = fc.array(fc.nat(), { maxLength: 20 })

test('frames give their payloads back, however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(bytes), cuts, (payloads, places) => {
      const stream = Buffer.concat(
        payloads.map(payload => {
          const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])
          header.writeUInt32BE(payload.length, 4)
          return Buffer.concat([header, payload])
        }),
      )
      const read = frameReader()
      assert.deepEqual(Buffer.concat(cut(stream, places).flatMap(read)), Buffer.concat(payloads))
    }),
  )
})

test('a log of the kubelet gives the bytes back: parts as they are, lines with their end', () => {
  const text = bytes.map(part => Buffer.from(part.filter(byte => byte !== 10)))
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.boolean())), cuts, (lines, places) => {
      const stream = Buffer.concat(
        lines.flatMap(([part, full]) => [
          Buffer.from(`2026-01-01T00:00:00.000000001+00:00 stdout ${full ? 'F' : 'P'} `),
          part,
          Buffer.from('\n'),
        ]),
      )
      const expected = Buffer.concat(
        lines.flatMap(([part, full]) => (full ? [part, Buffer.from('\n')] : [part])),
      )
      const read = kubeletLogReader()
      assert.deepEqual(Buffer.concat(cut(stream, places).flatMap(read)), expected)
    }),
  )
})

test('a last line that is not whole yet is not given', () => {
  const read = kubeletLogReader()
  assert.deepEqual(read(Buffer.from('t stdout F one\nt stderr F tw')).map(String), ['one\n'])
  assert.deepEqual(read(Buffer.from('o\n')).map(String), ['two\n'])
})
