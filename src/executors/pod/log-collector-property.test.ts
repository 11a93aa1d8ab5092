import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LOG_LIMITS } from './log-plan.ts'
import { LogHouse, podLogs } from '../../../test/kubernetes/log-house.ts'

type Deed =
  | { readonly do: 'write'; readonly stream: string; readonly bytes: Buffer; readonly same: boolean }
  | { readonly do: 'long'; readonly stream: string; readonly bytes: number }
  | { readonly do: 'disorder' }
  | { readonly do: 'rotate' }
  | { readonly do: 'spoil'; readonly afterBytes: number; readonly how: 'throws' | 'ends' | 'words' }
  | { readonly do: 'kill' | 'watch' | 'unwatch' | 'full' | 'room' }
  | { readonly do: 'pass'; readonly ms: number }

const text = fc.oneof(
  fc.constantFrom(
    'a\n',
    'b\r\n',
    '\n',
    'no end',
    '2026-01-01T00:00:07.000000000Z not a time\n',
    '\u{1F600}\n',
  ),
  fc.uint8Array({ maxLength: 30 }).map(bytes => Buffer.from(bytes)),
)
const stream = fc.constantFrom('stdout', 'stderr')
const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      stream,
      bytes: text.map(bytes => Buffer.from(bytes)),
      same: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('long' as const),
      stream,
      bytes: fc.integer({ min: 1, max: 200_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'disorder' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('spoil' as const),
      afterBytes: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 200_000 })),
      how: fc.constantFrom('throws' as const, 'words' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('kill', 'watch', 'unwatch', 'full', 'room') }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
  },
)
const rotation: fc.Arbitrary<Deed> = fc.constant({ do: 'rotate' as const })
const chunks = fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 5 })

/** Of a kubelet: it rotates a log at most once in each of its rounds. */
const ROUND_MS = 10_000

/** Does all of it, ends the container and waits for its log. */
async function story(deeds: readonly Deed[], chunkBytes: readonly number[]): Promise<LogHouse> {
  const house = new LogHouse()
  const kubelet = house.kubelet()
  kubelet.chunkBytes = chunkBytes
  let unwatch = (): void => undefined
  let line = 0
  let nanos = house.nanos
  let rotatedAt = 0n
  house.collector.started(podLogs())
  // A file that is rotated before anybody looked leaves no trace: a first look is part of what is promised.
  kubelet.write('stdout', Buffer.from('the first line\n'), nanos)
  await house.pass(LOG_LIMITS.firstReadMs * 2)
  for (const deed of deeds) {
    // Every line is told from every other, so that one twice or one too few is seen.
    line += 1
    nanos = house.nanos + BigInt(line) > nanos ? house.nanos + BigInt(line) : nanos + 1n
    switch (deed.do) {
      case 'write':
        kubelet.write(deed.stream, Buffer.concat([Buffer.from(`${line}:`), deed.bytes]), nanos)
        if (deed.same) kubelet.write(deed.stream, Buffer.from(`same as ${line}\n`), nanos)
        break
      case 'long':
        kubelet.write(deed.stream, Buffer.from(`${line}:${'x'.repeat(deed.bytes)}`), nanos)
        break
      case 'disorder':
        kubelet.write('stderr', Buffer.from(`${line}: first, but later\n`), nanos + 900_000_000n)
        kubelet.write('stdout', Buffer.from(`${line}: then, but earlier\n`), nanos)
        break
      case 'rotate': {
        const passed = Number(house.nanos - rotatedAt) / 1_000_000
        if (passed < ROUND_MS) await house.pass(ROUND_MS - passed)
        kubelet.rotate()
        rotatedAt = house.nanos
        break
      }
      case 'spoil':
        kubelet.spoilings.push(deed)
        break
      case 'kill':
        house.kill()
        house.collector.adopt(podLogs())
        break
      case 'watch':
        unwatch()
        unwatch = house.collector.watch(podLogs().attempt)
        break
      case 'unwatch':
        unwatch()
        break
      case 'full':
      case 'room':
        house.store.full = deed.do === 'full'
        break
      case 'pass':
        await house.pass(deed.ms)
        break
      default:
        deed satisfies never
    }
  }
  house.store.full = false
  kubelet.end()
  assert.equal(await house.until(house.collector.ended(podLogs())), true)
  await house.collector.close()
  return house
}

test('a log that was not rotated is copied byte for byte, whatever broke on the way', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 40 }), chunks, async (deeds, chunkBytes) => {
      const house = await story(deeds, chunkBytes)
      assert.deepEqual(house.bytes(), house.kubelet().said)
    }),
    { numRuns: 300 },
  )
})

test('of a log that was rotated nothing comes twice or out of order, and what is missing is said where it is', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 8, arbitrary: deed }, rotation), { maxLength: 40 }),
      chunks,
      async (deeds, chunkBytes) => {
        const house = await story(deeds, chunkBytes)
        assertPieces(house.bytes(), house.kubelet().said)
      },
    ),
    { numRuns: 300 },
  )
})

/** The copy is the original with pieces left out, and a notice stands at each of them. */
function assertPieces(copy: Buffer, original: Buffer): void {
  const pieces = copy.toString('latin1').split(/\[kontroler: [^\]]*\]\n/)
  const whole = original.toString('latin1')
  let from = 0
  for (const [index, piece] of pieces.entries()) {
    if (piece === '' && index < pieces.length - 1) continue
    // The notice stands on a line of its own, also when it interrupts one.
    const cut = piece.endsWith('\n') && index < pieces.length - 1 ? [piece, piece.slice(0, -1)] : [piece]
    const last = index === pieces.length - 1
    const at = cut.map(text => (last ? whole.lastIndexOf(text) : whole.indexOf(text, from)))
    const found = at.findIndex(position => position >= from)
    assert.notEqual(
      found,
      -1,
      `piece ${index} is not in the original behind ${from}: ${JSON.stringify(piece)}`,
    )
    if (index === 0) assert.equal(at[found], 0, 'what is missing at the beginning is not said')
    from = (at[found] ?? 0) + (cut[found]?.length ?? 0)
  }
  if (pieces.at(-1) !== '') assert.equal(from, whole.length, 'what is missing at the end is not said')
}
