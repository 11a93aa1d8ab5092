import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../config/secret.ts'
import { createLog, type Log } from './json-log.ts'

function logging(level: 'error' | 'warn' | 'info' | 'debug' = 'debug'): { log: Log; lines: string[] } {
  const lines: string[] = []
  return { lines, log: createLog({ level, now: () => 0, write: line => lines.push(line) }) }
}
const told = (lines: readonly string[]): Record<string, unknown> =>
  JSON.parse(lines[0] ?? '') as Record<string, unknown>

test('a line is one JSON object with time, level and message first', () => {
  const { log, lines } = logging()
  log.info('two\nlines', { run: 'r1', tasks: 3, none: undefined })
  assert.deepEqual(lines, [
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"two\\nlines","run":"r1","tasks":3}\n',
  ])
})

test('what is below the level is not written', () => {
  const { log, lines } = logging('warn')
  log.debug('d')
  log.info('i')
  log.warn('w')
  log.error('e')
  assert.deepEqual(
    lines.map(line => told([line])['message']),
    ['w', 'e'],
  )
})

test('secrets, and passwords in addresses, are not written, wherever they are', () => {
  const { log, lines } = logging()
  const url = 'postgres://anna:geheim@db:5432/k'
  const error = new Error(`no answer from ${url}`, { cause: new Error(url) })
  log.error(`lost ${url}`, { error, deep: { list: [url, new Secret('geheim')], map: new Map([['a', url]]) } })
  assert.equal(lines.length, 1)
  assert.doesNotMatch(lines[0] ?? '', /geheim/)
  assert.match(lines[0] ?? '', /postgres:\/\/anna:\[secret\]@db:5432\/k/)
})

test('a password that a long text is cut in is not written either', () => {
  const { log, lines } = logging()
  const url = `postgres://anna:${'geheim'.repeat(10)}@db/k`
  for (let before = 8_150; before < 8_192; before += 1)
    log.error('lost', { text: 'x'.repeat(before - 1) + ' ' + url })
  assert.doesNotMatch(lines.join(''), /gehe/)
})

test('an error is told with its name, code, message and place', () => {
  const { log, lines } = logging()
  log.error('no', { error: Object.assign(new TypeError('bad'), { code: 'E1' }) })
  const { error } = told(lines) as { error: Record<string, string> }
  assert.deepEqual([error['name'], error['code'], error['message']], ['TypeError', 'E1', 'bad'])
  assert.match(error['stack'] ?? '', /json-log\.test/)
})

test('nothing makes it throw: circles, deep objects, functions, big numbers, long texts', () => {
  const { log, lines } = logging()
  const circle: Record<string, unknown> = { big: 10n, call: () => 1, sign: Symbol('s') }
  circle['self'] = circle
  log.info('odd', { circle, long: 'x'.repeat(100_000), date: new Date(0) })
  assert.ok((lines[0] ?? '').length < 20_000)
  assert.equal(told(lines)['date'], '1970-01-01T00:00:00.000Z')
})

test('a field cannot take the place of time, level or message', () => {
  const { log, lines } = logging()
  log.info('right', { message: 'wrong', level: 'wrong' })
  assert.deepEqual(told(lines), { time: '1970-01-01T00:00:00.000Z', level: 'info', message: 'right' })
})
