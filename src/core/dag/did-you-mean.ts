/**
 * The candidate that a person most likely meant: nearest by edits (a swap of neighbours counts as one), at most a
 * third of the length away, letter case and `-`/`_` aside. Null when nothing is near.
 *
 * @example didYouMean('runafter', ['runAfter', 'retries']) === 'runAfter'
 */
export function didYouMean(word: string, candidates: Iterable<string>): string | null {
  const wanted = folded(word)
  let best: string | null = null
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  let looked = 0
  for (const candidate of candidates) {
    looked += 1
    if (looked > CANDIDATES_MAX || bestDistance === 0) break
    if (Math.abs(candidate.length - word.length) >= bestDistance || candidate === word) continue
    const distance = edits(wanted, folded(candidate))
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/** A fix that names the nearest candidate, or else says what is there. */
export function meantOr(word: string, candidates: Iterable<string>, otherwise: string): string {
  const near = didYouMean(word, candidates)
  return near === null ? otherwise : `did you mean ${near}?`
}

const CANDIDATES_MAX = 10_000

function folded(word: string): string {
  return word.slice(0, 100).toLowerCase().replaceAll('_', '-')
}

/** Optimal string alignment distance. */
function edits(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let value = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        value = Math.min(value, (before[j - 2] ?? 0) + 1)
      }
      row.push(value)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}
