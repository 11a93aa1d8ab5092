import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../test/model/manual-clock.ts'
import { Evidence, type HeldPod } from './evidence.ts'
import { FINALIZER } from './names.ts'
import type { Pod } from './pod.ts'

const REF = { run: 'r', task: 'a', attempt: 1 }
const pod = (more: Partial<Pod['metadata']> = {}): Pod => ({
  metadata: {
    name: 'a-1-x',
    namespace: 'team',
    uid: 'u',
    resourceVersion: '1',
    finalizers: [FINALIZER],
    ...more,
  },
  spec: {},
})
const DELETED = { deletionTimestamp: '2026-01-01T00:00:00Z' }

/** One pod that is held, and what of it may change. */
function house() {
  const clock = new ManualClock()
  const facts = {
    isMine: false,
    standing: 'ended',
    isLogDurable: true,
    isAsSeen: true,
    isArchiveAway: false,
    refused: '',
  }
  const troubles: string[] = []
  const dropped: HeldPod[] = []
  const evidence = new Evidence({
    clock: clock.for('engine'),
    isMine: () => facts.isMine,
    standing: async () => facts.standing as 'live' | 'ended' | 'unknown',
    isLogDurable: async () => {
      if (facts.isArchiveAway) throw new Error('the archive is away')
      return facts.isLogDurable
    },
    drop: async one => {
      if (one.uid === facts.refused) throw new Error(`${one.uid} is refused`)
      if (facts.isAsSeen) dropped.push(one)
      return facts.isAsSeen
    },
    trouble: message => assert.fail(message),
  })
  const seen = (of: Pod, ref: typeof REF | null = REF): void => evidence.seen(of, ref)
  const drops = async (): Promise<number> => {
    await evidence.look().catch((error: unknown) => troubles.push(String(error)))
    return dropped.length
  }
  return { clock, facts, troubles, dropped, evidence, seen, drops }
}

test('a finalizer stays until the outcome is recorded and the log is durable', async () => {
  const { facts, seen, drops } = house()
  Object.assign(facts, { isMine: true, standing: 'live', isLogDurable: false })
  seen(pod())
  assert.equal(await drops(), 0)
  facts.isMine = false
  assert.equal(await drops(), 0)
  facts.standing = 'ended'
  assert.equal(await drops(), 0)
  facts.isLogDurable = true
  assert.equal(await drops(), 1)
  assert.equal(await drops(), 1)
})

test('of an attempt that nobody knows any more it goes at once', async () => {
  const { facts, seen, drops } = house()
  Object.assign(facts, { standing: 'unknown', isLogDurable: false })
  seen(pod())
  assert.equal(await drops(), 1)
})

test('a deletion, as of a namespace, does not wait for a log for ever; for the outcome it does', async () => {
  const { clock, facts, seen, drops } = house()
  Object.assign(facts, { standing: 'live', isLogDurable: false })
  seen(pod(DELETED))
  clock.jump(44_000)
  // Seen again: it counts from the first time.
  seen(pod({ ...DELETED, resourceVersion: '2' }))
  clock.jump(1_000)
  assert.equal(await drops(), 0)
  facts.standing = 'ended'
  assert.equal(await drops(), 1)
})

test('what only looks like ours holds no deletion up', async () => {
  const { seen, drops } = house()
  seen(pod(), null)
  assert.equal(await drops(), 0)
  seen(pod(DELETED), null)
  assert.equal(await drops(), 1)
})

test('a pod that has changed meanwhile is tried again; one without a finalizer never is', async () => {
  const { facts, seen, drops } = house()
  facts.isAsSeen = false
  seen(pod())
  assert.equal(await drops(), 0)
  facts.isAsSeen = true
  assert.equal(await drops(), 1)
  seen(pod({ finalizers: ['somebody/else'] }))
  assert.equal(await drops(), 1)
})

test('a pod that may not be changed, as in a namespace that is not ours any more, holds up no other', async () => {
  const { facts, troubles, dropped, seen, drops } = house()
  facts.refused = 'a'
  for (const uid of ['a', 'b', 'c']) seen(pod({ uid, name: uid }))
  assert.equal(await drops(), 2)
  assert.deepEqual(
    dropped.map(({ uid }) => uid),
    ['b', 'c'],
  )
  assert.deepEqual(troubles, ['Error: a is refused'])
})

test('an archive that is away holds up no deletion that has waited long enough', async () => {
  const { clock, facts, troubles, seen, drops } = house()
  facts.isArchiveAway = true
  seen(pod({ uid: 'a' }))
  seen(pod({ ...DELETED, uid: 'b' }))
  clock.jump(45_000)
  assert.equal(await drops(), 1)
  assert.deepEqual(troubles, [])
  facts.isArchiveAway = false
  assert.equal(await drops(), 2)
})
