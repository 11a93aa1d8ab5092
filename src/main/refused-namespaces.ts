import type { Check } from '../controller/checks.ts'
import type { Clock } from '../ports/clock.ts'

/** Rights that were given just now may take a second to count. */
const FIRST_MS = 5_000
const LOOK_MS = 10_000

export interface RefusedParts {
  readonly refused: readonly string[]
  readonly clock: Pick<Clock, 'after'>
  /** Resolves when the namespace may be looked at; rejects while it may not. */
  readonly ask: (namespace: string) => Promise<unknown>
  /** One of them may be looked at now. */
  readonly opened: (namespace: string) => void
}

export interface Refused {
  readonly check: Check
  close(): Promise<void>
}

/** Namespaces that were to be looked after and may not be: told by readiness, and asked again until one lets us in. */
export function watchRefused({ refused, clock, ask, opened }: RefusedParts): Refused {
  let closed = false
  let callOff = (): void => undefined
  let looking = Promise.resolve()

  async function look(): Promise<void> {
    for (const namespace of refused) {
      const isOpen = await ask(namespace).then(
        () => true,
        () => false,
      )
      if (closed) return
      if (isOpen) return opened(namespace)
    }
    later(LOOK_MS)
  }

  function later(ms: number): void {
    callOff = clock.after(ms, () => {
      looking = look()
    })
  }

  if (refused.length > 0) later(FIRST_MS)
  return {
    check: {
      name: 'namespaces',
      look: async () =>
        refused.length === 0 ? null : `not looked after, for want of rights: ${refused.join(', ')}`,
    },
    async close() {
      closed = true
      callOff()
      await looking
    },
  }
}
