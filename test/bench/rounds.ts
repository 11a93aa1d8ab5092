import { readFileSync } from 'node:fs'
import type { BenchOptions } from './figure.ts'

/** One thing that is measured in every round: gives milliseconds. */
export type Contestant = () => Promise<number>

/**
 * Milliseconds of each contestant, one number a round, all of the same rounds; under `NAME cpu` those of processor time,
 * the tasks' own included, which a busy machine moves less.
 */
export type Times = ReadonlyMap<string, readonly number[]>

/** The floor may move this much between the two ends of a round; beyond it somebody else was at work. */
const NOISE_MAX = 0.15
/** Times a round is repeated for that, before it is taken as it is. */
const REPEATS_MAX = 1

/**
 * Measures contestants in turn, A B C A B C …, so that whatever else the machine does hits all of them alike. The
 * floor runs at both ends of each round; when it moved, the round is repeated. Round 0 is thrown away.
 */
export async function rounds(
  options: BenchOptions,
  what: string,
  floor: Contestant,
  contestants: Readonly<Record<string, Contestant>>,
): Promise<{ readonly times: Times; readonly noisy: number }> {
  const times = new Map<string, readonly number[]>()
  let noisy = 0
  let repeats = 0
  for (let round = 0; round <= options.rounds; ) {
    options.say(`${what}: round ${round} of ${options.rounds}`)
    const measured = new Map<string, number>()
    const measure = async (name: string, run: Contestant): Promise<void> => {
      const start = childrenCpuMs()
      measured.set(name, await run())
      measured.set(`${name} cpu`, childrenCpuMs() - start)
    }
    await measure('floor', floor)
    const before = measured.get('floor') ?? Number.NaN
    for (const [name, run] of Object.entries(contestants)) await measure(name, run)
    const after = await floor()
    const moved = Math.abs(after - before) / Math.min(after, before) > NOISE_MAX
    if (round > 0 && moved && repeats < REPEATS_MAX) {
      repeats += 1
      continue
    }
    repeats = 0
    if (round > 0) {
      if (moved) noisy += 1
      measured.set('floor', (before + after) / 2)
      for (const [name, ms] of measured) times.set(name, [...(times.get(name) ?? []), ms])
    }
    round += 1
  }
  return { times, noisy }
}

/** Ratio of two contestants, round by round. */
export function ratios(times: Times, of: string, to: string): readonly number[] {
  const below = times.get(to) ?? []
  return (times.get(of) ?? []).flatMap((value, round) => {
    const other = below[round]
    return other === undefined ? [] : [value / other]
  })
}

/** A new contestant made of two that were measured: how much longer one took than the other. */
export function difference(times: Times, longer: string, shorter: string): readonly number[] {
  return (times.get(longer) ?? []).map((value, round) => value - (times.get(shorter)?.[round] ?? Number.NaN))
}

const TICK_MS = 10

/** Processor time of all children that have ended, in ticks of 10 ms; 0 where there is no `/proc`. */
function childrenCpuMs(): number {
  if (process.platform !== 'linux') return 0
  const stat = readFileSync('/proc/self/stat', 'latin1')
    .replace(/^.*\) /su, '')
    .split(' ')
  return (Number(stat[13]) + Number(stat[14])) * TICK_MS
}
