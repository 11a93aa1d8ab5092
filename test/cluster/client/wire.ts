import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'

/**
 * What a line to a server does:
 * `open` passes everything; `hole` takes everything and passes nothing, in both directions, without a word;
 * `deaf` passes requests but no answers; `cut` breaks the lines that are there and refuses new ones.
 */
export type WireMode = 'open' | 'hole' | 'deaf' | 'cut'

/** A line to a server that a test can hurt. */
export interface Wire extends AsyncDisposable {
  readonly url: string
  /** From now on, for the lines that are there and for new ones. */
  set(mode: WireMode): void
  /** Ends all lines politely (FIN), as a load balancer does with idle ones. */
  finish(): void
  /** Lines that were opened so far. */
  readonly lines: () => number
}

export async function startWire(target: number, host = '127.0.0.1'): Promise<Wire> {
  let mode: WireMode = 'open'
  let lines = 0
  const pairs = new Set<{ readonly client: Socket; readonly server: Socket }>()
  const listener = createServer(client => {
    if (mode === 'cut') return void client.resetAndDestroy()
    lines += 1
    const server = createConnection(target, host)
    const pair = { client, server }
    pairs.add(pair)
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        pairs.delete(pair)
        client.destroy()
        server.destroy()
      })
    }
    client.on('data', bytes => {
      if (mode !== 'hole' && !server.write(bytes)) client.pause()
    })
    server.on('data', bytes => {
      if (mode === 'open' && !client.write(bytes)) server.pause()
    })
    client.on('drain', () => server.resume())
    server.on('drain', () => client.resume())
    client.on('end', () => mode !== 'hole' && server.end())
    server.on('end', () => mode !== 'hole' && client.end())
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `https://127.0.0.1:${address.port}`,
    set(next) {
      mode = next
      if (mode === 'cut') for (const { client } of pairs) client.resetAndDestroy()
    },
    finish() {
      for (const { client } of pairs) client.end()
    },
    lines: () => lines,
    async [Symbol.asyncDispose]() {
      for (const { client, server } of pairs) {
        client.destroy()
        server.destroy()
      }
      listener.close()
      await once(listener, 'close')
    },
  }
}
