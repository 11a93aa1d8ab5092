import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inWords } from './words.ts'

const WORDS: readonly (readonly [cron: string, words: string])[] = [
  ['30 2 * * *', 'every day at 02:30 (Europe/Berlin)'],
  ['@daily', 'every day at 00:00 (Europe/Berlin)'],
  ['0,30 9 * * *', 'every day at 09:00 and 09:30 (Europe/Berlin)'],
  ['*/5 * * * *', 'every 5 minutes'],
  ['* * * * *', 'every minute'],
  ['@hourly', 'every hour'],
  ['15 * * * *', 'every hour at minute 15'],
  ['0 */6 * * *', 'every 6 hours'],
  ['0 9 * * MON-FRI', 'Monday to Friday at 09:00 (Europe/Berlin)'],
  ['0 9 * * 1,3,7', 'Monday, Wednesday and Sunday at 09:00 (Europe/Berlin)'],
  ['0 0 * * 0', 'every Sunday at 00:00 (Europe/Berlin)'],
  ['0 0 1,15 * ?', 'on day 1 and 15 of every month at 00:00 (Europe/Berlin)'],
  ['0 0 L * *', 'on the last day of every month at 00:00 (Europe/Berlin)'],
  ['@yearly', 'on day 1 of January at 00:00 (Europe/Berlin)'],
  ['0 0 * JUN FRI', 'every Friday in June at 00:00 (Europe/Berlin)'],
  ['TZ=Asia/Kolkata 0 9 * * *', 'every day at 09:00 (Asia/Kolkata)'],
  // No short sentence says these rightly.
  ['*/7 * * * *', '*/7 * * * * (Europe/Berlin)'],
  ['0 0 1 * MON', '0 0 1 * MON (Europe/Berlin)'],
  ['0 0 * * 5L', '0 0 * * 5L (Europe/Berlin)'],
  ['0 8-18 * * *', '0 8-18 * * * (Europe/Berlin)'],
]
for (const [cron, words] of WORDS)
  test(`${cron} is: ${words}`, () => assert.equal(inWords(cron, 'Europe/Berlin'), words))
