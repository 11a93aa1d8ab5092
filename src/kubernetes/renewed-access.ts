import type { Access, Tls } from './identity.ts'
import { CLIENT_LIMITS } from './limits.ts'
import type { Timing } from './timing.ts'

/** Access that was just read, and until when it is good (in `Timing.wall`); null for a minute, which is the most. */
export interface Read {
  readonly access: Access
  readonly until: number | null
}

/** A reading that failed is tried again after this time. */
const FAILED_AGAIN_MS = 5_000

export interface Renewed {
  access(): Promise<Access>
  refresh(used: Access): Promise<void>
}

/**
 * Keeps access fresh: read when first needed, again after a minute or at its own end, and at once when the server
 * refused it. One reading serves all who wait. A periodic reading that fails leaves the old access in place, because a
 * file in the middle of being replaced is no reason to stop.
 *
 * @param read Gets whether the server has refused what was read last.
 */
export function renewedAccess(timing: Timing, read: (refused: boolean) => Promise<Read>): Renewed {
  let current: Access | null = null
  let until = 0
  let reading: Promise<Access> | null = null

  const readAgain = (refused: boolean): Promise<Access> => {
    reading ??= (async () => {
      try {
        const found = await read(refused)
        const usual = timing.wall() + CLIENT_LIMITS.credentialsMs
        until = Math.min(found.until ?? usual, usual)
        current = settled(current, found.access)
        return current
      } finally {
        reading = null
      }
    })()
    return reading
  }

  return {
    async access() {
      if (current !== null && timing.wall() < until) return current
      if (current === null) return readAgain(false)
      const last = current
      return readAgain(false).catch(() => {
        until = timing.wall() + FAILED_AGAIN_MS
        return last
      })
    },
    async refresh(used) {
      if (current === used || reading !== null) await readAgain(true)
    },
  }
}

/** The access that was, as far as nothing changed: others notice changes by its being another object. */
function settled(before: Access | null, now: Access): Access {
  if (before === null) return now
  const tls = sameTls(before.tls, now.tls) ? before.tls : now.tls
  const same =
    tls === before.tls &&
    before.authorization === now.authorization &&
    JSON.stringify(before.headers) === JSON.stringify(now.headers)
  return same ? before : { ...now, tls }
}

const sameTls = (a: Tls, b: Tls): boolean =>
  a.ca === b.ca &&
  a.certificate === b.certificate &&
  a.key === b.key &&
  a.serverName === b.serverName &&
  a.insecure === b.insecure &&
  a.proxy === b.proxy
