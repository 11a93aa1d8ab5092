/** Candidates looked at; a slip is near, and more would cost time on hostile input. */
const CANDIDATES_MAX = 5_000
const WORD_LENGTH_MAX = 100
/** Words of one loop that are looked at. */
const SUGGESTIONS_MAX = 100

/**
 * The name that was probably meant: the one with the fewest wrong, missing, extra or swapped characters, when there
 * are few enough to be a slip of the finger. The first of equals wins, so that the answer is the same every time.
 *
 * @example nearest('imgae', ['image', 'args'])  // 'image'
 */
export function nearest(word: string, names: Iterable<string>): string | null {
  if (word.length > WORD_LENGTH_MAX) return null
  const most = word.length < 2 ? 0 : Math.max(1, Math.floor(word.length / 3))
  let best: string | null = null
  let bestDistance = most + 1
  for (const name of Iterator.from(names).take(CANDIDATES_MAX)) {
    if (Math.abs(name.length - word.length) > most || name === word) continue
    const sameButCase = name.toLowerCase() === word.toLowerCase()
    const apart = sameButCase ? 0 : distance(word, name)
    if (apart < bestDistance) {
      best = name
      bestDistance = apart
    }
  }
  return best
}

/**
 * A fix that names the nearest candidate, or else what is given.
 *
 * @example meantOr('imgae', ['image'], 'remove it') === 'did you mean image?'
 */
export function meantOr(word: string, candidates: Iterable<string>, otherwise: string): string {
  const near = nearest(word, candidates)
  return near === null ? otherwise : `did you mean ${near}?`
}

/**
 * {@link meantOr} over one crowd of names, for loops: after some hundred words it stops looking, since comparing
 * thousands of wrong words with thousands of names takes minutes and helps nobody.
 */
export function suggester(candidates: readonly string[]): (word: string, otherwise: string) => string {
  let left = SUGGESTIONS_MAX
  return (word, otherwise) => {
    left -= 1
    return left < 0 ? otherwise : meantOr(word, candidates, otherwise)
  }
}

/** Edits from one text to the other, where a swap of two neighbours counts as one. */
function distance(from: string, to: string): number {
  let before: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let least = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      )
      const swapped =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      if (swapped) least = Math.min(least, (before[column - 2] ?? 0) + 1)
      current.push(least)
    }
    before = last
    last = current
  }
  return last[to.length] ?? 0
}
