import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from '../../core/run/events.ts'
import type { Pod, PodStatus } from './pod.ts'
import { Warnings } from './warnings.ts'

const pod = (nodeName: string | null, status: PodStatus = {}): Pod => ({
  metadata: { name: 'a-1-x', uid: 'u', resourceVersion: '1' },
  spec: nodeName === null ? {} : { nodeName },
  status,
})
const READY = { conditions: [{ type: 'PodReadyToStartContainers', status: 'True' }] }
const mount = (message: string) => ({ type: 'Warning', reason: 'FailedMount', message })
const outcome = (kind: Outcome['kind'], message: string | null): Outcome => ({
  kind,
  reason: 'LOST',
  exitCode: null,
  signal: null,
  message,
  outputs: {},
})

test('a Warning holds a pod back only as long as its status lets that be so', () => {
  const warnings = new Warnings()
  const why = (of: Pod): string | undefined => warnings.heldBack(of)?.why?.reason
  assert.equal(why(pod('n1')), undefined)
  warnings.take({ type: 'Warning', reason: 'FailedScheduling', message: 'no room' }, 0)
  assert.equal(why(pod(null)), 'UNSCHEDULABLE')
  assert.equal(why(pod('n1')), undefined)
  warnings.take(mount('mount failed'), 0)
  assert.equal(why(pod('n1')), 'VOLUME_PENDING')
  assert.equal(why(pod('n1', READY)), undefined)
})

test('what is not there is waited for a minute, counted from when it was wanted', () => {
  const warnings = new Warnings()
  warnings.take(mount('secret "keys" not found'), 5_000)
  assert.equal(warnings.heldBack(pod('n1'))?.giveUp?.at, 65_000)
  const startTime = '1970-01-01T00:00:01Z'
  const held = warnings.heldBack(pod('n1', { startTime }))
  assert.equal(held?.giveUp?.at, 61_000)
  assert.equal(held?.giveUp?.outcome.reason, 'SECRET_MISSING')
})

test('the same again, but for numbers, is no news', () => {
  const warnings = new Warnings()
  const sandbox = (id: string) => ({ type: 'Warning', reason: 'FailedCreatePodSandBox', message: `no ${id}` })
  assert.equal(warnings.take(sandbox('0a1b2c3d4e'), 0), true)
  assert.equal(warnings.take(sandbox('ffeeddccbb'), 1), false)
  assert.equal(warnings.take(sandbox('network'), 2), true)
})

test('an end that nobody understands is told with the latest Warnings, bounded; the task’s own is not', () => {
  const warnings = new Warnings()
  for (const reason of ['One', 'Two', 'Three', 'Four'])
    warnings.take({ type: 'Warning', reason, message: `${reason} ${'x'.repeat(1_000)}` }, 0)
  const said = warnings.added(outcome('lost', 'gone')).message ?? ''
  assert.match(said, /^gone; Two: Two x+…; Three: Three x+…; Four: Four x+…$/u)
  assert.ok(said.length < 1_300)
  assert.equal(warnings.added(outcome('exitCode', 'exited')).message, 'exited')
  const one = new Warnings()
  one.take(mount('mount failed'), 0)
  assert.equal(one.added(outcome('startError', 'mount failed')).message, 'mount failed')
  assert.equal(one.added(outcome('startError', null)).message, 'FailedMount: mount failed')
})

test('a fence that is gone is known', () => {
  const warnings = new Warnings()
  assert.equal(warnings.isFenceGone, false)
  warnings.take(mount('configmap "kontroler-fence-main-7" not found'), 0)
  assert.equal(warnings.isFenceGone, true)
})
