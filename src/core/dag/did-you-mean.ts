import { nearest } from '../nearest.ts'

/** Candidates looked at; a slip is near, and more would cost time on hostile input. */
const CANDIDATES_MAX = 5_000
const WORD_LENGTH_MAX = 100

/** The candidate that a person most likely meant, within bounds; null when nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | null {
  if (word.length > WORD_LENGTH_MAX) return null
  return nearest(word, Iterator.from(candidates).take(CANDIDATES_MAX))
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

const SUGGESTIONS_MAX = 100

/**
 * A fix that names the nearest candidate, or else what is given.
 *
 * @example meantOr('imgae', ['image'], 'remove it') === 'did you mean image?'
 */
export function meantOr(word: string, candidates: Iterable<string>, otherwise: string): string {
  const near = didYouMean(word, candidates)
  return near === null ? otherwise : `did you mean ${near}?`
}
