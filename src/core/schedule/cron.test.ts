import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkCron, checkTimeZone, isFixedTime, nextTick, tickKey, ticks } from './cron.ts'

const GOOD = [
  '* * * * *',
  '0 2 * * *',
  '  0\t2  * * * ',
  '*/5 * * * *',
  '5/15 * * * *',
  '0,30 9-17 * * MON-FRI',
  '0 0 * jan-mar sun',
  '0 0 ? * 1',
  '0 0 L * *',
  '0 0 15W * *',
  '0 0 LW * *',
  '0 0 * * 5L',
  '0 0 * * MON#2',
  '0 0 * * 7',
  '0 0 * * SAT-SUN',
  '0 0 29 2 *',
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@daily',
  '@midnight',
  '@Hourly',
  'TZ=Europe/Berlin 0 9 * * *',
  'CRON_TZ=America/New_York @daily',
]
for (const text of GOOD) test(`a schedule may be "${text}"`, () => assert.equal(checkCron(text), null))

const BAD: readonly (readonly [string, RegExp])[] = [
  ['', /^is empty/],
  ['   ', /^is empty/],
  ['* * * *', /^has 4 fields, but a schedule has 5: minute, hour/],
  ['0 0 0 * * *', /^has 6 fields, .* no seconds/],
  ['0 0 * * *\n0 1 * * *', /^has 10 fields/],
  ['60 * * * *', /^has a bad minute "60"; it holds 0-59/],
  ['-1 * * * *', /^has a bad minute "-1"/],
  ['1,,2 * * * *', /^has a bad minute/],
  ['/5 * * * *', /^has a bad minute/],
  ['*/0 * * * *', /^has a bad minute/],
  ['*/90 * * * *', /^has a bad minute/],
  ['0 24 * * *', /^has a bad hour "24"/],
  ['0 0 32 * *', /^has a bad day of month "32"/],
  ['0 0 0 * *', /^has a bad day of month "0"/],
  ['0 0 L-3 * *', /^has a bad day of month/],
  ['0 0 * 13 *', /^has a bad month "13"/],
  ['0 0 * JANFEB *', /^has a bad month/],
  ['0 0 * * 8', /^has a bad day of week "8"/],
  ['0 0 * * FRI-MON', /^has a bad day of week "FRI-MON"; .*ranges upwards/],
  ['0 0 * * MON#6', /^has a bad day of week/],
  ['0 0 * * +1', /^has a bad day of week/],
  ['ä * * * *', /^has a bad minute/],
  ['\u001b[31m * * * *', /^has a bad minute "\\u001b/],
  ['0 0 30 2 *', /^never fires/],
  ['0 0 31 4,6,9,11 *', /^never fires/],
  ['constructor', /^has 1 field,/],
  ['@reboot', /^"@reboot" is not understood; there are @yearly/],
  ['@every 5m', /^"@every" is not understood; write steps/],
  ['TZ=Europe/Berlim 0 9 * * *', /did you mean Europe\/Berlin\?$/],
  ['TZ= 0 9 * * *', /^the time zone is empty/],
  ['1'.repeat(300), /^is longer than 256/],
]
for (const [text, sentence] of BAD)
  test(`a schedule may not be ${JSON.stringify(text.slice(0, 40))}`, () =>
    assert.match(checkCron(text) ?? '', sentence))

test('any text is answered, and one that is fine has a next tick', () => {
  const piece = fc.constantFrom(...'0159*/-,?LW# @TZ='.split(''), ' * ', 'MON', 'JAN', '@daily', 'UTC ')
  const text = fc.array(piece, { maxLength: 14 }).map(pieces => pieces.join(''))
  const field = fc
    .array(piece, { minLength: 1, maxLength: 4 })
    .map(pieces => pieces.join('').replaceAll(' ', ''))
  const five = fc.tuple(field, field, field, field, field).map(fields => fields.join(' '))
  fc.assert(
    fc.property(fc.oneof(text, five, fc.string()), cron => {
      if (checkCron(cron) === null) assert.notEqual(nextTick(cron, 'UTC', 0), null)
    }),
    { numRuns: 3_000 },
  )
})

test('every name of the time zone database is a zone, in any case', () => {
  for (const zone of [
    ...Intl.supportedValuesOf('timeZone'),
    'UTC',
    'utc',
    'US/Eastern',
    'Japan',
    'EST',
    'CET',
  ])
    assert.equal(checkTimeZone(zone), null)
})

test('a wrong zone is answered with the nearest right one', () => {
  assert.equal(
    checkTimeZone('Europe/Berlim'),
    'there is no time zone "Europe/Berlim"; did you mean Europe/Berlin?',
  )
  assert.match(checkTimeZone('berlin') ?? '', /did you mean Europe\/Berlin\?$/)
  assert.match(checkTimeZone('New York') ?? '', /did you mean America\/New_York\?$/)
  assert.match(checkTimeZone('Mars/Olympus') ?? '', /write a name like/)
  assert.match(checkTimeZone('x'.repeat(100_000)) ?? '', /write a name like/)
})

test('offsets and ambiguous abbreviations are no zones', () => {
  for (const zone of ['+01:00', '-0500', 'PST', 'IST', '', 'Local'])
    assert.notEqual(checkTimeZone(zone), null, zone)
})

const local = (text: string, zone: string, from: string, to: string): string[] =>
  ticks(text, zone, Date.parse(from), Date.parse(to), 1000).map(at => tickKey(text, zone, at))

test('a time that the clocks skip runs once, right after the gap', () => {
  assert.deepEqual(local('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00Z', '2026-03-30T12:00Z'), [
    '2026-03-28T02:30[Europe/Berlin]',
    '2026-03-29T03:00[Europe/Berlin]',
    '2026-03-30T02:30[Europe/Berlin]',
  ])
})

test('several times that the clocks skip run once together', () => {
  assert.deepEqual(local('15,45 2,3 * * *', 'Europe/Berlin', '2026-03-29T00:00Z', '2026-03-29T12:00Z'), [
    '2026-03-29T03:00[Europe/Berlin]',
    '2026-03-29T03:15[Europe/Berlin]',
    '2026-03-29T03:45[Europe/Berlin]',
  ])
})

test('a gap that ends at midnight runs its times on the next day', () => {
  assert.deepEqual(local('30 23 * * *', 'America/Nuuk', '2026-03-28T12:00Z', '2026-03-30T12:00Z'), [
    '2026-03-29T00:00[America/Nuuk]',
    '2026-03-29T23:30[America/Nuuk]',
  ])
})

test('a day that a zone left out runs as the next one begins', () => {
  assert.deepEqual(local('30 2 * * *', 'Pacific/Apia', '2011-12-29T00:00Z', '2012-01-01T00:00Z'), [
    '2011-12-29T02:30[Pacific/Apia]',
    '2011-12-31T00:00[Pacific/Apia]',
    '2011-12-31T02:30[Pacific/Apia]',
    '2012-01-01T02:30[Pacific/Apia]',
  ])
})

test('a time that the clocks show twice runs the first time', () => {
  assert.deepEqual(
    ticks('30 2 * * *', 'Europe/Berlin', Date.parse('2026-10-25T00:00Z'), Date.parse('2026-10-25T23:00Z'), 9),
    [Date.parse('2026-10-25T00:30Z')],
  )
})

test('an interval goes on through both changes', () => {
  for (const [from, to] of [
    ['2026-03-28T23:00Z', '2026-03-29T04:00Z'],
    ['2026-10-24T23:00Z', '2026-10-25T04:00Z'],
  ] as const) {
    const found = ticks('*/15 * * * *', 'Europe/Berlin', Date.parse(from), Date.parse(to), 99)
    assert.equal(found.length, 20)
    for (const [index, at] of found.entries()) assert.equal(at, Date.parse(from) + (index + 1) * 900_000)
  }
})

test('a schedule is fixed when minute and hour are plain numbers, lists or ranges', () => {
  for (const text of ['30 2 * * *', '0,30 9-17 * * *', '@daily', 'TZ=UTC 0 0 */2 * *'])
    assert.equal(isFixedTime(text), true, text)
  for (const text of ['* * * * *', '0 * * * *', '*/5 1 * * *', '0 */6 * * *', '0 1-23/2 * * *', '@hourly'])
    assert.equal(isFixedTime(text), false, text)
})

test('both day fields mean either day, unless one of them is a star in any spelling', () => {
  const days = (text: string): number =>
    ticks(text, 'UTC', Date.UTC(2026, 0, 1) - 1, Date.UTC(2026, 0, 31), 99).length
  assert.equal(days('0 0 1 * MON'), 5)
  assert.equal(days('0 0 */1 * MON'), 4)
  assert.equal(days('0 0 ? * MON'), 4)
})

test('a zone in front wins over the zone of the DAG', () => {
  const at = nextTick('TZ=Asia/Kolkata 30 5 * * *', 'Europe/Berlin', 0)
  assert.equal(at, Date.UTC(1970, 0, 2))
  assert.equal(tickKey('TZ=Asia/Kolkata 30 5 * * *', 'Europe/Berlin', at), '1970-01-02T05:30[Asia/Kolkata]')
})

test('the first instant is exclusive, the last one inclusive, and there is a limit', () => {
  assert.deepEqual(ticks('0 * * * *', 'UTC', 0, 7_200_000, 9), [3_600_000, 7_200_000])
  assert.deepEqual(ticks('0 * * * *', 'UTC', 0, 7_200_000, 1), [3_600_000])
  assert.deepEqual(ticks('0 * * * *', 'UTC', 0, 7_200_000, 0), [])
  assert.deepEqual(ticks('0 * * * *', 'UTC', 7_200_000, 0, 9), [])
})

test('a tick many years away is found', () => {
  assert.equal(nextTick('0 0 29 2 *', 'UTC', Date.UTC(2096, 1, 29)), Date.UTC(2104, 1, 29))
  assert.equal(nextTick('* * 29 2 *', 'Europe/Berlin', Date.UTC(2024, 2, 1)), Date.parse('2028-02-28T23:00Z'))
  assert.equal(nextTick('0 0 * * *', 'UTC', Date.UTC(3100)), null)
})
