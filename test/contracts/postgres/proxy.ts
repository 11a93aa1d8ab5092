import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'

/** What happens to one line. `COMMIT` is looked for in what the client sends. */
export type Cut =
  /** Everything passes. */
  | { readonly kind: 'none' }
  /** Cut before the n-th statement that the client sends from now on. */
  | { readonly kind: 'message'; readonly number: number }
  /** Cut when the commit is sent: it does not reach the server. */
  | { readonly kind: 'beforeCommit' }
  /** The commit reaches the server, and the line is cut at once. */
  | { readonly kind: 'atCommit' }
  /** The commit reaches the server, its answer does not reach the client. */
  | { readonly kind: 'afterCommit' }
  /** The client is cut off; the commit reaches the server only this much later. */
  | { readonly kind: 'lateCommit'; readonly delayMs: number }

/** A line to a server that is cut where a test wants it. */
export interface Proxy {
  readonly port: number
  /** The next line on which this can happen is cut so, once. */
  cutNext(cut: Cut): void
  /** How many lines were cut. */
  readonly cuts: () => number
  /** Refuses new lines, and cuts those that are there. */
  block(blocked: boolean): void
  close(): Promise<void>
}

const COMMIT = Buffer.from('commit\0')

export async function startProxy(target: number): Promise<Proxy> {
  let next: Cut = { kind: 'none' }
  let cuts = 0
  let blocked = false
  const open = new Set<Socket>()
  const server = createServer(client => {
    if (blocked) return void client.destroy()
    const upstream = createConnection(target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => open.delete(socket))
    }
    client.on('close', () => {
      if (!held) upstream.end()
    })
    upstream.on('close', () => client.destroy())
    let mute = false
    let held = false
    upstream.on('data', (answer: Buffer) => {
      if (mute) client.destroy()
      else client.write(answer)
    })
    client.on('data', (bytes: Buffer) => {
      if (held || client.destroyed) return
      const cut = cutOf(bytes)
      if (cut === null) return void upstream.write(bytes)
      next = { kind: 'none' }
      cuts += 1
      switch (cut.kind) {
        case 'message':
        case 'beforeCommit':
          client.destroy()
          upstream.destroy()
          return
        case 'atCommit':
          upstream.write(bytes)
          client.destroy()
          return
        case 'afterCommit':
          mute = true
          upstream.write(bytes)
          return
        case 'lateCommit':
          held = true
          client.destroy()
          setTimeout(() => upstream.end(bytes), cut.delayMs)
      }
    })
  })
  const cutOf = (bytes: Buffer): Exclude<Cut, { kind: 'none' }> | null => {
    if (next.kind === 'none') return null
    if (next.kind !== 'message') return bytes.includes(COMMIT) ? next : null
    // Statements only: whoever cannot even log in is told so.
    if (!'QP'.includes(bytes.toString('latin1', 0, 1))) return null
    next = { kind: 'message', number: next.number - 1 }
    return next.number <= 0 ? next : null
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    cutNext: cut => {
      next = cut
    },
    cuts: () => cuts,
    block(now) {
      blocked = now
      if (blocked) for (const socket of open) socket.destroy()
    },
    async close() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
