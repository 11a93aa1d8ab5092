import { Client, type ClientConfig, escapeIdentifier } from 'pg'

const AGAIN_MS = 1_000
const AGAIN_MAX_MS = 30_000

/** Listens for what other writers say after a commit. */
export interface Notices {
  onChange(listener: () => void): () => void
  close(): Promise<void>
}

/**
 * A session that only listens. All of it is a hint: when it is broken, or a notice is lost, those who poll find the
 * change a little later, and nobody is told. It is made when somebody first wants to hear, and made again when it
 * breaks. A standby cannot listen, so nothing comes from one.
 */
export function notices(settings: ClientConfig, channel: string, me: string): Notices {
  const listeners = new Set<() => void>()
  let client: Client | null = null
  let timer: NodeJS.Timeout | null = null
  let delayMs = AGAIN_MS
  let closed = false

  const again = (): void => {
    client = null
    if (closed || timer !== null) return
    timer = setTimeout(() => {
      timer = null
      void listen()
    }, delayMs)
    timer.unref()
    delayMs = Math.min(AGAIN_MAX_MS, delayMs * 2)
  }
  const listen = async (): Promise<void> => {
    if (closed || client !== null) return
    const one = new Client(settings)
    client = one
    let over = false
    const end = (): void => {
      if (over) return
      over = true
      one.end().catch(() => undefined)
      again()
    }
    one.on('error', end)
    one.on('end', end)
    one.on('notification', ({ payload }) => {
      if (payload !== me) for (const listener of listeners) listener()
    })
    try {
      await one.connect()
      await one.query(`listen ${escapeIdentifier(channel)}`)
      delayMs = AGAIN_MS
      // What was said while nobody listened was missed.
      for (const listener of listeners) listener()
    } catch {
      end()
    }
  }
  return {
    onChange(listener) {
      listeners.add(listener)
      void listen()
      return () => listeners.delete(listener)
    },
    async close() {
      closed = true
      if (timer !== null) clearTimeout(timer)
      await client?.end().catch(() => undefined)
    },
  }
}
