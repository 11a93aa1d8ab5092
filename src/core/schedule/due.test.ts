import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ticks } from './cron.ts'
import { CATCH_UP_MAX, type Due, due, ON_TIME_MS, type ScheduleSettings } from './due.ts'
import { SKIP_COUNT_MAX } from './skip.ts'

const HOURLY: ScheduleSettings = {
  schedules: ['0 * * * *'],
  timeZone: 'UTC',
  catchUp: 'latest',
  startingDeadlineMs: null,
  concurrencyPolicy: 'Allow',
  suspended: false,
}
const time = (text: string): number => Date.parse(`2026-05-0${text}Z`)

/** Decides between two times such as `1T10:00`, and tells it in a few words. */
function decide(
  settings: Partial<ScheduleSettings>,
  mark: string | null,
  now: string,
  unsettled = 0,
): readonly string[] {
  const decision = due({
    settings: { ...HOURLY, ...settings },
    highWater: mark === null ? null : time(mark),
    now: time(now),
    unsettled,
  })
  return told(decision)
}

function told({ start, skips, replace, highWater, nextWake }: Due): readonly string[] {
  const short = (at: number): string => new Date(at).toISOString().slice(9, 16)
  return [
    ...skips.map(({ from, to, count, reason }) => `skip ${count} ${short(from)}..${short(to)} ${reason}`),
    ...start.map(({ scheduledTime, queued }) => `start ${short(scheduledTime)}${queued ? ' queued' : ''}`),
    ...(replace ? ['replace'] : []),
    `mark ${short(highWater)}`,
    nextWake === null ? 'sleep' : `wake ${short(nextWake)}`,
  ]
}

describe('looking at the right time', () => {
  test('the first look ever starts nothing of the past', () => {
    assert.deepEqual(decide({ catchUp: 'all' }, null, '1T10:00'), ['mark 1T10:00', 'wake 1T11:00'])
  })
  test('a tick is due at its very time and not before', () => {
    assert.deepEqual(decide({}, '1T10:00', '1T10:59'), ['mark 1T10:59', 'wake 1T11:00'])
    assert.deepEqual(decide({}, '1T10:00', '1T11:00'), ['start 1T11:00', 'mark 1T11:00', 'wake 1T12:00'])
  })
  test('looking again starts nothing again', () => {
    assert.deepEqual(decide({}, '1T11:00', '1T11:00'), ['mark 1T11:00', 'wake 1T12:00'])
  })
  test('without schedules there is nothing to wake for, and the mark goes on', () => {
    assert.deepEqual(decide({ schedules: [] }, '1T10:00', '1T12:30'), ['mark 1T12:30', 'sleep'])
  })
  test('schedules that fall on one instant give one run', () => {
    const schedules = ['0 * * * *', '0 12 * * *', 'TZ=Europe/Berlin 0 14 * * *', '*/30 11 * * *']
    assert.deepEqual(decide({ schedules, catchUp: 'all' }, '1T10:30', '1T12:10'), [
      'start 1T11:00',
      'start 1T11:30',
      'start 1T12:00',
      'mark 1T12:10',
      'wake 1T13:00',
    ])
  })
})

describe('missed ticks', () => {
  test('latest: the newest runs, the others are one skip', () => {
    assert.deepEqual(decide({}, '1T10:00', '2T09:30'), [
      'skip 22 1T11:00..2T08:00 CATCH_UP',
      'start 2T09:00',
      'mark 2T09:30',
      'wake 2T10:00',
    ])
  })
  test('none: only a tick that is hardly late runs', () => {
    const settings = { catchUp: 'none' } as const
    assert.deepEqual(decide(settings, '1T10:00', '1T12:01'), [
      'skip 1 1T11:00..1T11:00 CATCH_UP',
      'start 1T12:00',
      'mark 1T12:01',
      'wake 1T13:00',
    ])
    assert.deepEqual(decide(settings, '1T10:00', '1T12:02'), [
      'skip 2 1T11:00..1T12:00 CATCH_UP',
      'mark 1T12:02',
      'wake 1T13:00',
    ])
    assert.equal(ON_TIME_MS, 60_000)
  })
  test('all: each one runs, oldest first', () => {
    assert.deepEqual(decide({ catchUp: 'all' }, '1T10:00', '1T13:30'), [
      'start 1T11:00',
      'start 1T12:00',
      'start 1T13:00',
      'mark 1T13:30',
      'wake 1T14:00',
    ])
  })
  test('all: beyond the cap the oldest are one skip', () => {
    const decision = due({
      settings: { ...HOURLY, catchUp: 'all' },
      highWater: time('1T00:00'),
      now: time('6T00:00'),
      unsettled: 0,
    })
    assert.equal(decision.start.length, CATCH_UP_MAX)
    assert.deepEqual(told({ ...decision, start: [] }), [
      'skip 20 1T01:00..1T20:00 CAP',
      'mark 6T00:00',
      'wake 6T01:00',
    ])
    assert.equal(decision.start[0]?.scheduledTime, time('1T21:00'))
    assert.equal(decision.start.at(-1)?.scheduledTime, time('6T00:00'))
  })
  test('a tick past its starting deadline is skipped, whatever catchUp says', () => {
    const settings = { startingDeadlineMs: 5_400_000, catchUp: 'all' } as const
    assert.deepEqual(decide(settings, '1T10:00', '1T13:30'), [
      'skip 1 1T11:00..1T11:00 STARTING_DEADLINE',
      'start 1T12:00',
      'start 1T13:00',
      'mark 1T13:30',
      'wake 1T14:00',
    ])
    assert.deepEqual(decide({ startingDeadlineMs: 600_000 }, '1T10:00', '1T12:30'), [
      'skip 2 1T11:00..1T12:00 STARTING_DEADLINE',
      'mark 1T12:30',
      'wake 1T13:00',
    ])
  })
})

describe('while another run is unsettled', () => {
  test('Allow starts beside it', () => {
    assert.deepEqual(decide({}, '1T10:00', '1T11:00', 1), ['start 1T11:00', 'mark 1T11:00', 'wake 1T12:00'])
  })
  test('Forbid skips the tick and says so', () => {
    const settings = { concurrencyPolicy: 'Forbid' } as const
    assert.deepEqual(decide(settings, '1T10:00', '1T11:00', 1), [
      'skip 1 1T11:00..1T11:00 CONCURRENCY_FORBID',
      'mark 1T11:00',
      'wake 1T12:00',
    ])
    assert.deepEqual(decide(settings, '1T10:00', '1T11:00', 0), [
      'start 1T11:00',
      'mark 1T11:00',
      'wake 1T12:00',
    ])
  })
  test('Forbid starts only the newest of several', () => {
    assert.deepEqual(decide({ concurrencyPolicy: 'Forbid', catchUp: 'all' }, '1T10:00', '1T13:00'), [
      'skip 2 1T11:00..1T12:00 CONCURRENCY_FORBID',
      'start 1T13:00',
      'mark 1T13:00',
      'wake 1T14:00',
    ])
  })
  test('Forbid tells missed ticks from forbidden ones', () => {
    assert.deepEqual(decide({ concurrencyPolicy: 'Forbid' }, '1T10:00', '1T13:00', 1), [
      'skip 2 1T11:00..1T12:00 CATCH_UP',
      'skip 1 1T13:00..1T13:00 CONCURRENCY_FORBID',
      'mark 1T13:00',
      'wake 1T14:00',
    ])
  })
  test('Replace cancels it, and of several ticks starts the newest', () => {
    const settings = { concurrencyPolicy: 'Replace', catchUp: 'all' } as const
    assert.deepEqual(decide(settings, '1T10:00', '1T12:00', 1), [
      'skip 1 1T11:00..1T11:00 CONCURRENCY_REPLACE',
      'start 1T12:00',
      'replace',
      'mark 1T12:00',
      'wake 1T13:00',
    ])
    assert.deepEqual(decide(settings, '1T10:00', '1T10:30', 1), ['mark 1T10:30', 'wake 1T11:00'])
    assert.deepEqual(decide(settings, '1T10:00', '1T11:00', 0), [
      'start 1T11:00',
      'mark 1T11:00',
      'wake 1T12:00',
    ])
  })
  test('Queue starts all, each after the one before', () => {
    const settings = { concurrencyPolicy: 'Queue', catchUp: 'all' } as const
    assert.deepEqual(decide(settings, '1T10:00', '1T12:00', 0).slice(0, 2), [
      'start 1T11:00',
      'start 1T12:00 queued',
    ])
    assert.deepEqual(decide(settings, '1T10:00', '1T11:00', 1)[0], 'start 1T11:00 queued')
  })
})

describe('suspended', () => {
  test('nothing starts and the mark stays', () => {
    assert.deepEqual(decide({ suspended: true }, '1T10:00', '1T15:30'), ['mark 1T10:00', 'sleep'])
  })
  test('on resuming, the ticks in between are missed ones', () => {
    assert.deepEqual(decide({}, '1T10:00', '1T15:30'), [
      'skip 4 1T11:00..1T14:00 CATCH_UP',
      'start 1T15:00',
      'mark 1T15:30',
      'wake 1T16:00',
    ])
    assert.deepEqual(decide({ catchUp: 'none' }, '1T10:00', '1T15:30')[0], 'skip 5 1T11:00..1T15:00 CATCH_UP')
  })
  test('a DAG that was never looked at has no ticks from before, suspended or not', () => {
    assert.deepEqual(decide({ suspended: true }, null, '1T10:00'), ['mark 1T10:00', 'sleep'])
  })
})

describe('clocks that jump', () => {
  test('back: nothing fires until the mark is passed', () => {
    assert.deepEqual(decide({ catchUp: 'all' }, '3T10:00', '1T08:00'), ['mark 3T10:00', 'wake 3T11:00'])
  })
  test('forward by fifty years: one run, and a span that says at least how many', () => {
    const now = time('1T00:00') + 50 * 365 * 86_400_000
    const settings = { ...HOURLY, schedules: ['* * * * *'] }
    const { start, skips } = due({ settings, highWater: time('1T00:00'), now, unsettled: 0 })
    assert.deepEqual(start, [
      { scheduledTime: now, key: `${new Date(now).toISOString().slice(0, 16)}Z`, queued: false },
    ])
    assert.deepEqual(skips, [
      {
        from: time('1T00:01'),
        to: now - 60_000,
        count: SKIP_COUNT_MAX,
        reason: 'CATCH_UP',
        at: now,
      },
    ])
  })
})

describe('keys', () => {
  test('a fixed time is named by its zone, an interval by UTC, both at once by the fixed time', () => {
    const keys = (schedules: readonly string[]): string[] =>
      due({
        settings: { ...HOURLY, schedules, timeZone: 'Europe/Berlin' },
        highWater: time('1T10:00'),
        now: time('1T12:00'),
        unsettled: 0,
      }).start.map(({ key }) => key)
    assert.deepEqual(keys(['0 14 * * *']), ['2026-05-01T14:00[Europe/Berlin]'])
    assert.deepEqual(keys(['0 * * * *']), ['2026-05-01T12:00Z'])
    assert.deepEqual(keys(['0 * * * *', '0 14 * * *']), ['2026-05-01T14:00[Europe/Berlin]'])
    assert.deepEqual(keys(['TZ=America/New_York 0 8 * * *']), ['2026-05-01T08:00[America/New_York]'])
  })
})

test('however the clock goes and whatever is running: each tick is one run or in one skip, never both or twice', () => {
  const settings = fc.record({
    schedules: fc.uniqueArray(
      fc.constantFrom(
        '30 2 * * *',
        '*/20 * * * *',
        '0 */6 * * *',
        'TZ=Australia/Lord_Howe 0 2 * * *',
        '0 1-4 * * *',
      ),
      { minLength: 1, maxLength: 3 },
    ),
    timeZone: fc.constantFrom('Europe/Berlin', 'America/New_York', 'UTC'),
    catchUp: fc.constantFrom('latest', 'none', 'all'),
    startingDeadlineMs: fc.constantFrom(null, 30_000, 7_200_000),
    concurrencyPolicy: fc.constantFrom('Allow', 'Forbid', 'Replace', 'Queue'),
    suspended: fc.constant(false),
  }) satisfies fc.Arbitrary<ScheduleSettings>
  const looks = fc.array(
    fc.record({
      minutes: fc.oneof(fc.integer({ min: -90, max: 120 }), fc.integer({ min: 0, max: 9_000 })),
      unsettled: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 1, maxLength: 15 },
  )
  const origins = fc
    .constantFrom('2026-03-27T22:10Z', '2026-10-23T22:10Z', '2026-04-03T10:00Z')
    .map(Date.parse)
  fc.assert(
    fc.property(settings, looks, origins, (dag, steps, origin) => {
      let highWater = due({ settings: dag, highWater: null, now: origin, unsettled: 0 }).highWater
      let now = origin
      const accounted: number[] = []
      const keys: string[] = []
      const all = (from: number, to: number): number[] =>
        [...new Set(dag.schedules.flatMap(text => ticks(text, dag.timeZone, from, to, Infinity)))].toSorted(
          (a, b) => a - b,
        )
      for (const { minutes, unsettled } of steps) {
        now += minutes * 60_000
        const decision = due({ settings: dag, highWater, now, unsettled })
        for (const skip of decision.skips) {
          const inside = all(skip.from - 1, skip.to)
          assert.equal(inside.length, skip.count)
          accounted.push(...inside)
        }
        accounted.push(...decision.start.map(start => start.scheduledTime))
        keys.push(...decision.start.map(start => start.key))
        assert.ok(decision.highWater >= highWater)
        assert.ok(decision.nextWake !== null && decision.nextWake > decision.highWater)
        assert.deepEqual(all(decision.highWater, decision.nextWake), [decision.nextWake])
        highWater = decision.highWater
      }
      assert.deepEqual(accounted, all(origin, highWater))
      assert.equal(new Set(keys).size, keys.length)
    }),
    { numRuns: 300 },
  )
})
