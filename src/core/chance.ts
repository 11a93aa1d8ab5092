/**
 * A number in [0, 1) that depends on nothing but the seed text: the same run, task and attempt give the same jitter
 * on every engine and in every replay. (FNV-1a over the text, mixed once more so that near seeds lie far apart.)
 */
export function chance(seed: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < seed.length; index += 1) {
    hash = Math.imul(hash ^ seed.charCodeAt(index), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000
}
