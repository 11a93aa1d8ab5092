import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { due, type ScheduleSettings } from './due.ts'
import { preview } from './preview.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const YEAR_START = Date.UTC(2026, 0, 1)
const YEAR_END = Date.UTC(2027, 0, 1)

const settingsOf = (
  schedules: readonly string[],
  more: Partial<ScheduleSettings> = {},
): ScheduleSettings => ({
  schedules,
  timeZone: 'Europe/Berlin',
  catchUp: 'latest',
  startingDeadlineMs: null,
  concurrencyPolicy: 'Allow',
  suspended: false,
  ...more,
})

/**
 * A scheduler under a fake clock: it looks whenever `clock` says, and keeps a mark and the keys of runs, as a store
 * does. Runs end at once.
 */
function scheduler(settings: ScheduleSettings, clock: (now: number, nextWake: number) => number): number[] {
  const runs = new Map<string, number>()
  let highWater: number | null = null
  let now = YEAR_START
  for (;;) {
    const decision = due({ settings, highWater, now, unsettled: 0 })
    for (const { key, scheduledTime } of decision.start) if (!runs.has(key)) runs.set(key, scheduledTime)
    highWater = decision.highWater
    if (now === YEAR_END) return [...runs.values()]
    now = Math.min(YEAR_END, clock(now, decision.nextWake ?? YEAR_END))
  }
}

const printed = (settings: ScheduleSettings): number[] =>
  preview(settings, YEAR_START, YEAR_END).map(entry => {
    assert.equal(entry.skippedReason, undefined)
    return entry.at
  })

for (const [zone, schedules] of [
  ['Europe/Berlin', ['30 2 * * *']],
  ['Australia/Lord_Howe', ['*/20 1-2 * * SUN']],
] as const)
  test(`${zone}: looking every minute of a year starts what the preview printed`, () => {
    const settings = settingsOf(schedules, { timeZone: zone })
    const started = scheduler(settings, now => now + MINUTE)
    assert.deepEqual(started, printed(settings))
    assert.ok(started.length >= 300)
  })

const SCHEDULES = [
  '30 2 * * *',
  '0 */6 * * *',
  '15,45 0-3 * * *',
  '*/20 1-3 * * SUN',
  '0 0 L * *',
  '30 23 * * *',
]
const ZONES = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Nuuk',
  'Antarctica/Troll',
  'Africa/Casablanca',
  'Asia/Kolkata',
  'America/St_Johns',
]

for (const zone of ZONES)
  test(`${zone}: waking when told, early, late by seconds or twice starts what the preview printed`, () => {
    fc.assert(
      fc.property(
        fc.subarray(SCHEDULES, { minLength: 1 }),
        fc.constantFrom('latest', 'none', 'all'),
        fc.constantFrom('Allow', 'Forbid', 'Replace', 'Queue'),
        fc.array(fc.integer({ min: -3_600_000, max: 59_000 }), { minLength: 5, maxLength: 20 }),
        (schedules, catchUp, concurrencyPolicy, jitter) => {
          const settings = settingsOf(schedules, { timeZone: zone, catchUp, concurrencyPolicy })
          let look = 0
          const started = scheduler(settings, (now, nextWake) => {
            const off = jitter[look++ % jitter.length] ?? 0
            return off < 0 && nextWake + off > now ? nextWake + off : nextWake + Math.max(0, off)
          })
          assert.deepEqual(started, printed(settings))
        },
      ),
      { numRuns: 2 },
    )
  })

test('with catchUp all, irregular jumps of days, some of them back, start what the preview printed', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.subarray(SCHEDULES, { minLength: 1 }),
      fc.array(fc.integer({ min: -DAY / 2, max: 2 * DAY }), { minLength: 5, maxLength: 30 }),
      (zone, schedules, jumps) => {
        const settings = settingsOf(schedules, { timeZone: zone, catchUp: 'all' })
        let look = 0
        let furthest = YEAR_START
        // Now and then it goes on from the furthest point, so that the year ends.
        const started = scheduler(settings, now => {
          furthest = Math.max(furthest, now)
          const jump = jumps[look++ % jumps.length] ?? 0
          return look % 5 === 0 ? furthest + DAY : now + jump
        })
        assert.deepEqual(started, printed(settings))
      },
    ),
    { numRuns: 10 },
  )
})

test('a suspended DAG lists its ticks as skipped', () => {
  const settings = settingsOf(['0 12 * * *'], { suspended: true, timeZone: 'UTC' })
  assert.deepEqual(preview(settings, YEAR_START, YEAR_START + DAY), [
    { at: YEAR_START + DAY / 2, skippedReason: 'SUSPENDED' },
  ])
})

test('with runs that take longer than the interval, the policy shows', () => {
  const minutes = (policy: ScheduleSettings['concurrencyPolicy']): string[] =>
    preview(
      settingsOf(['*/10 * * * *'], { concurrencyPolicy: policy }),
      YEAR_START,
      YEAR_START + 40 * MINUTE,
      { runMs: 15 * MINUTE },
    ).map(({ at, skippedReason }) => `${(at - YEAR_START) / MINUTE} ${skippedReason ?? 'runs'}`)
  const forbidden = 'CONCURRENCY_FORBID'
  assert.deepEqual(minutes('Forbid'), ['10 runs', `20 ${forbidden}`, '30 runs', `40 ${forbidden}`])
  for (const policy of ['Allow', 'Replace', 'Queue'] as const)
    assert.deepEqual(minutes(policy), ['10 runs', '20 runs', '30 runs', '40 runs'])
})

test('a preview has a limit and an end', () => {
  const settings = settingsOf(['* * * * *'])
  assert.equal(preview(settings, YEAR_START, YEAR_END, { max: 7 }).length, 7)
  assert.equal(preview(settings, YEAR_START, YEAR_START + 3 * MINUTE).length, 3)
  assert.deepEqual(preview(settingsOf([]), YEAR_START, YEAR_END), [])
})
