import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { ManualClock } from '../../../test/model/manual-clock.ts'
import type { Remembered } from '../../kubernetes/known.ts'
import type { Reflector } from '../../kubernetes/reflector.ts'
import type { LoggedPod } from './logged-pod.ts'
import { type Kept, Sweeper } from './sweeper.ts'

const REF = { run: 'r', task: 'a', attempt: 1 }
const OVER: Kept = { ref: REF, fence: 'f', state: 'over', others: [], began: null, changedAt: 0 }
const PLACE = { namespace: 'team', name: 'pod', uid: 'u' }
const LOGGED: LoggedPod = { attempt: REF, namespace: 'team', pod: 'pod', uid: 'u', own: 'a', others: [] }

/** A sweeper, the pods that are there, and logs that become durable when a test says so. */
function house(logs: { readonly isComplete?: () => Promise<boolean> } = {}) {
  const clock = new ManualClock()
  const pods: Remembered<Kept>[] = [{ ...PLACE, resourceVersion: '1', kept: OVER }]
  const durable = Promise.withResolvers<void>()
  const sweeper = new Sweeper({
    clock: clock.for('engine'),
    logs: {
      running: () => undefined,
      ended: () => durable.promise,
      isComplete: async () => false,
      leftovers: async () => [],
      lost: async () => undefined,
      forget: async () => undefined,
      close: async () => durable.reject(new Error('closed')),
      ...logs,
    },
    reflectors: [
      { known: () => pods.values(), find: (_: string, name: string) => pods.find(pod => pod.name === name) },
    ] as unknown as Reflector<Kept>[],
    isMine: () => false,
    standing: async () => 'ended',
    remove: async () => assert.fail('nothing is removed'),
    settle: async () => assert.fail('nothing is told to end'),
    trouble: (_, message) => assert.fail(message),
  })
  return { sweeper, pods, durable }
}

test('while an archive does not say whether it has a log, it is not asked again', async () => {
  let asked = 0
  const { sweeper } = house({
    isComplete: () => {
      asked += 1
      return new Promise(() => undefined)
    },
  })
  for (let looks = 0; looks < 3; looks += 1) await sweeper.look()
  assert.equal(asked, 1)
})

test('a fence is held until the log of its pod is durable', async () => {
  const { sweeper, durable } = house()
  assert.ok(sweeper.holds('f'))
  await sweeper.look()
  durable.resolve()
  await setImmediate()
  assert.ok(!sweeper.holds('f'))
})

test('nothing is remembered of a pod that went before its log was durable', async () => {
  const { sweeper, pods, durable } = house()
  const collecting = sweeper.collect(LOGGED, true)
  pods.pop()
  sweeper.forget('u')
  durable.resolve()
  assert.equal(await collecting, true)
  assert.ok(!sweeper.takes('u'))
})

test('closing does not wait for a log that is not durable', async () => {
  const { sweeper } = house()
  const collecting = sweeper.collect(LOGGED, true)
  await sweeper.close()
  assert.equal(await collecting, false)
})
