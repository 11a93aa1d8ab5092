import { nearest } from '../nearest.ts'

/** Candidates looked at; a slip is near, and more would cost time on hostile input. */
const CANDIDATES_MAX = 10_000
const WORD_LENGTH_MAX = 100

/** The candidate that a person most likely meant, within bounds; null when nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | null {
  if (word.length > WORD_LENGTH_MAX) return null
  return nearest(word, Iterator.from(candidates).take(CANDIDATES_MAX))
}

/**
 * A fix that names the nearest candidate, or else what is given.
 *
 * @example meantOr('imgae', ['image'], 'remove it') === 'did you mean image?'
 */
export function meantOr(word: string, candidates: Iterable<string>, otherwise: string): string {
  const near = didYouMean(word, candidates)
  return near === null ? otherwise : `did you mean ${near}?`
}
