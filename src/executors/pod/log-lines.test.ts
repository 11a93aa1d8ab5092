import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { DISORDER_MS, type LogPlace, sinceTime } from './log-cursor.ts'
import { HELD_BYTES_MAX, LogLines } from './log-lines.ts'

const at = (second: number, nanos = 0): string =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.${String(nanos).padStart(9, '0')}Z`
const place = (second: number, lines = 1, part: number | null = null): LogPlace => ({
  at: at(second),
  lines,
  part,
})
const read = (lines: LogLines, text: string): string => lines.take(Buffer.from(text)).toString()

describe('what the container wrote is taken out of what the kubelet sends', () => {
  test('the time in front of each line is taken off', () => {
    const lines = new LogLines(null)
    assert.equal(read(lines, `${at(1)} one\n${at(2)} \n${at(3)}  two \n`), 'one\n\n two \n')
    assert.deepEqual(lines.place, place(3))
    assert.equal(lines.first, at(1))
  })

  test('a node in another time zone writes longer times', () => {
    const lines = new LogLines(null)
    assert.equal(read(lines, '2026-01-01T02:00:01.000000000+02:00 one\n'), 'one\n')
    assert.deepEqual(lines.place, { at: '2026-01-01T02:00:01.000000000+02:00', lines: 1, part: null })
    assert.equal(
      sinceTime({ at: '2026-01-01T02:00:09.100000000+02:00', lines: 1, part: null }),
      '2026-01-01T00:00:07Z',
    )
  })

  test('bytes that are no text stay as they are, however they are cut', () => {
    const line = fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes.filter(byte => byte !== 10)))
    fc.assert(
      fc.property(
        fc.array(line),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (texts, sizes) => {
          const sent = Buffer.concat(
            texts.flatMap((text, n) => [Buffer.from(`${at(1, n)} `), text, Buffer.from('\n')]),
          )
          const lines = new LogLines(null)
          const out: Buffer[] = []
          for (let from = 0, turn = 0; from < sent.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1
            out.push(lines.take(sent.subarray(from, from + size)))
            from += size
          }
          assert.deepEqual(
            Buffer.concat(out),
            Buffer.concat(texts.flatMap(text => [text, Buffer.from('\n')])),
          )
          assert.equal(lines.unfinished, false)
        },
      ),
    )
  })

  test('neighbouring lines with the very same time are counted', () => {
    const lines = new LogLines(null)
    read(lines, `${at(1)} a\n${at(2)} b\n${at(2)} c\n${at(2)} d\n`)
    assert.deepEqual(lines.place, place(2, 3))
  })

  test('a last line without an end waits, until the log is known to be over', () => {
    const lines = new LogLines(null)
    assert.equal(read(lines, `${at(1)} one\n${at(2)} tw`), 'one\n')
    assert.deepEqual(lines.place, place(1))
    assert.equal(lines.unfinished, true)
    assert.equal(lines.end().toString(), 'tw')
    assert.deepEqual(lines.place, place(2, 1, 2))
  })

  test('a line that never ends is given out in pieces, so that memory stays flat', () => {
    const lines = new LogLines(null)
    let given = read(lines, `${at(1)} `).length
    for (let count = 0; count < 100; count += 1) given += read(lines, 'x'.repeat(10_000)).length
    assert.ok(given >= 1_000_000 - HELD_BYTES_MAX && given < 1_000_000, String(given))
    assert.deepEqual(lines.place, place(1, 1, given))
    given += read(lines, `y\n${at(2)} z\n`).length
    assert.equal(given, 1_000_004)
    assert.deepEqual(lines.place, place(2))
  })

  test("words of the kubelet's own behind a long line that has no end are not given out", () => {
    const lines = new LogLines(null)
    const words = 'failed to create fsnotify watcher: too many open files'
    const given = read(lines, `${at(1)} ${'x'.repeat(2 * HELD_BYTES_MAX)}${words}`)
    assert.match(given, /^x+$/)
    assert.ok(given.length > HELD_BYTES_MAX)
    assert.deepEqual(lines.place, place(1, 1, given.length))
  })

  test("words of the kubelet's own end it", () => {
    const lines = new LogLines(null)
    assert.equal(
      read(lines, `${at(1)} one\nfailed to watch directory "/var/log/pods": no space left on device`),
      'one\n',
    )
    assert.match(lines.noise ?? '', /^failed to watch directory/)
    assert.deepEqual(lines.place, place(1))
  })
})

describe('reading on', () => {
  const sent = `${at(1)} a\n${at(2)} b\n${at(2)} c\n${at(2)} d\n${at(3)} e\n`
  const cases: readonly [string, LogPlace, string, string][] = [
    ['behind the first line', place(1), sent, 'b\nc\nd\ne\n'],
    ['behind one of several with the same time', place(2, 2), sent, 'd\ne\n'],
    ['behind the last line', place(3), sent, ''],
    ['inside a line', place(2, 3, 1), sent.replace('d', 'defg'), 'efg\ne\n'],
    ['behind a line that then had no end', place(3, 1, 1), sent, '\n'],
    ['behind a line whose time is not in order', place(1), `${at(2)} b\n${at(1)} a\n${at(2)} c\n`, 'c\n'],
    [
      'when the answer begins in the middle of a line',
      place(1),
      `rest of a long one\n${at(1)} a\n${at(2)} b\n`,
      'b\n',
    ],
  ]
  for (const [title, from, text, expected] of cases)
    test(title, () => {
      for (let cut = 0; cut <= text.length; cut += 1) {
        const lines = new LogLines(from)
        assert.equal(
          read(lines, text.slice(0, cut)) + read(lines, text.slice(cut)),
          expected,
          `cut at ${cut}`,
        )
        assert.equal(lines.search, 'found')
      }
    })

  test('nothing is given while the place is looked for, and it stays what it was', () => {
    const lines = new LogLines(place(5))
    assert.equal(read(lines, `${at(4)} a\n${at(6)} b\n`), '')
    assert.equal(lines.search, 'searching')
    assert.deepEqual(lines.place, place(5))
  })

  test('it is given up when the lines are clearly beyond it', () => {
    const lines = new LogLines(place(5))
    read(lines, `${at(5 + DISORDER_MS / 1000)} a\n`)
    assert.equal(lines.search, 'searching')
    assert.equal(read(lines, `${at(6 + DISORDER_MS / 1000)} b\n`), '')
    assert.equal(lines.search, 'lost')
  })

  test('of a line that went on into a newer file, what may have been copied is passed over', () => {
    const before = place(1, 1, 4)
    const lines = new LogLines(null, true, before)
    assert.equal(read(lines, `${at(5)} abc`), '')
    assert.deepEqual(lines.place, before, 'nothing new was given')
    assert.equal(read(lines, 'defg\n'), 'efg\n')
    assert.deepEqual(lines.place, place(5))
    const other = new LogLines(null, true, before)
    assert.equal(read(other, `${at(5)} ab\n${at(6)} the next\n`), '\nthe next\n')
    assert.deepEqual(other.place, place(6))
  })

  test('the kubelet is asked from a whole second on, and from a little before', () => {
    assert.equal(sinceTime({ at: at(9, 999_999_999), lines: 1, part: null }), '2026-01-01T00:00:07Z')
    assert.equal(sinceTime(place(1)), '2025-12-31T23:59:59Z')
  })
})
