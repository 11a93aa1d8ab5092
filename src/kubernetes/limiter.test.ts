import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLimiter, type Limiter, type Priority, type Slot } from './limiter.ts'
import type { Timing } from './timing.ts'

/** A clock that stands until it is moved. */
function standing(): Timing & { move(ms: number): void } {
  let now = 0
  return {
    now: () => now,
    wall: () => now,
    after: () => () => undefined,
    random: () => 0.5,
    move: ms => {
      now += ms
    },
  }
}

const held = async (limiter: Limiter, priority: Priority = 'fanOut'): Promise<Slot> => {
  const slot = await limiter.acquire(priority)
  assert.ok(slot !== null)
  return slot
}

/** Rounds of answers with all slots taken, each as slow as said. */
async function rounds(limiter: Limiter, count: number, latencyMs: number, priority: Priority = 'fanOut') {
  for (let round = 0; round < count; round += 1) {
    const slots: Slot[] = []
    while (limiter.inFlight < limiter.limit) slots.push(await held(limiter, priority))
    for (const slot of slots) slot.release({ kind: 'answered', latencyMs })
  }
}

describe('slots', () => {
  it('are as many as the limit, and the next waits for one to be given back', async () => {
    const limiter = createLimiter(standing(), { start: 2, min: 2, max: 2 })
    const first = await held(limiter)
    await held(limiter)
    let third: Slot | null = null
    const waiting = limiter.acquire('fanOut').then(slot => (third = slot))
    await new Promise(setImmediate)
    assert.equal(third, null)
    assert.equal(limiter.waiting.fanOut, 1)
    first.release({ kind: 'unused' })
    await waiting
    assert.equal(limiter.inFlight, 2)
  })

  it('go to dependents first, then to fan-outs, then to housekeeping, in the order of asking', async () => {
    const limiter = createLimiter(standing(), { start: 1, min: 1, max: 1 })
    const first = await held(limiter)
    const order: string[] = []
    const ask = async (name: string, priority: Priority): Promise<void> => {
      const slot = await held(limiter, priority)
      order.push(name)
      slot.release({ kind: 'unused' })
    }
    const asked = [
      ask('clean 1', 'housekeeping'),
      ask('fan 1', 'fanOut'),
      ask('chain 1', 'dependent'),
      ask('fan 2', 'fanOut'),
      ask('chain 2', 'dependent'),
      ask('clean 2', 'housekeeping'),
    ]
    first.release({ kind: 'unused' })
    await Promise.all(asked)
    assert.deepEqual(order, ['chain 1', 'chain 2', 'fan 1', 'fan 2', 'clean 1', 'clean 2'])
  })

  it('reach every lane in the end, also beside others that never cease', async () => {
    const timing = standing()
    const limiter = createLimiter(timing, { start: 1, min: 1, max: 1 })
    let slot = await held(limiter)
    let cleaned = false
    void limiter.acquire('housekeeping').then(late => {
      cleaned = true
      late?.release({ kind: 'unused' })
    })
    for (let turn = 0; turn < 50 && !cleaned; turn += 1) {
      timing.move(1_000)
      const next = limiter.acquire('dependent')
      slot.release({ kind: 'unused' })
      slot = (await next) ?? assert.fail()
    }
    assert.equal(cleaned, true)
  })

  it('are not waited for by who was called off', async () => {
    const limiter = createLimiter(standing(), { start: 1, min: 1, max: 1 })
    const first = await held(limiter)
    const controller = new AbortController()
    const waiting = limiter.acquire('fanOut', controller.signal)
    controller.abort()
    assert.equal(await waiting, null)
    first.release({ kind: 'unused' })
    assert.deepEqual([limiter.inFlight, limiter.waiting.fanOut], [0, 0])
    assert.equal(await limiter.acquire('fanOut', controller.signal), null)
  })

  it('are given back once, however often it is said', async () => {
    const limiter = createLimiter(standing(), { start: 2, min: 2, max: 2 })
    const first = await held(limiter)
    await held(limiter)
    first.release({ kind: 'unused' })
    first.release({ kind: 'unused' })
    assert.equal(limiter.inFlight, 1)
  })
})

describe('the limit', () => {
  it('rises to its most while answers are quick and all slots are used', async () => {
    const limiter = createLimiter(standing())
    assert.equal(limiter.limit, 16)
    await rounds(limiter, 60, 20)
    assert.equal(limiter.limit, 64)
  })

  it('stays when slots are left over', async () => {
    const limiter = createLimiter(standing())
    for (let count = 0; count < 200; count += 1)
      (await held(limiter)).release({ kind: 'answered', latencyMs: 20 })
    assert.equal(limiter.limit, 16)
  })

  it('is halved by a refusal, once for all refusals of a second, and never below its least', async () => {
    const timing = standing()
    const limiter = createLimiter(timing)
    const refuse = async (): Promise<void> => (await held(limiter)).release({ kind: 'overloaded' })
    await refuse()
    await refuse()
    assert.equal(limiter.limit, 8)
    for (let second = 0; second < 5; second += 1) {
      timing.move(1_000)
      await refuse()
    }
    assert.equal(limiter.limit, 4)
  })

  it('falls while answers are slow', async () => {
    const limiter = createLimiter(standing())
    await rounds(limiter, 5, 400)
    assert.ok(limiter.limit < 16)
  })

  it('falls earlier beside dependents: 60 ms are right for a fan-out and slow for a chain', async () => {
    const quick = { kind: 'answered', latencyMs: 5 } as const
    for (const [priority, check] of [
      ['fanOut', (limit: number) => limit > 16],
      ['dependent', (limit: number) => limit < 16],
    ] as const) {
      const limiter = createLimiter(standing())
      for (let count = 0; count < 16; count += 1) (await held(limiter)).release(quick)
      await rounds(limiter, 10, 60, priority)
      assert.ok(check(limiter.limit), `${priority}: ${limiter.limit}`)
    }
  })

  it('does not fall because a server is far away', async () => {
    const limiter = createLimiter(standing())
    for (let count = 0; count < 16; count += 1)
      (await held(limiter)).release({ kind: 'answered', latencyMs: 150 })
    await rounds(limiter, 20, 160)
    assert.ok(limiter.limit > 16)
  })
})
