import { type Dispatcher, Pool, ProxyAgent } from 'undici'
import type { Access, Identity, Tls } from './identity.ts'
import { CLIENT_LIMITS } from './limits.ts'
import { ApiProblem } from './problem.ts'

/** A way to the server, for one request. */
export interface Way {
  readonly access: Access
  readonly dispatcher: Dispatcher
  /** `https://host:port` */
  readonly origin: string
  /** What stands in front of each path. */
  readonly prefix: string
}

/** The connections to one cluster. The only place that knows undici's agents. */
export interface Connections {
  /**
   * Ordinary requests share a pool; watches and log streams have connections of their own, so that none of them ever
   * waits for the others.
   * @throws {ApiProblem} `credentials`
   */
  way(use: 'request' | 'stream'): Promise<Way>
  /** Breaks off what is still open. */
  close(): Promise<void>
}

/** @param inFlightMax Connections of the pool. */
export function createConnections(identity: Identity, inFlightMax: number): Connections {
  const address = new URL(identity.server)
  const prefix = address.pathname.replace(/\/+$/, '')
  const retired = new Map<Pair, Promise<void>>()
  let current: Pair | null = null
  let closed = false

  const open = (tls: Tls): Pair => ({
    tls,
    request: dispatcher(address.origin, tls, inFlightMax),
    stream: dispatcher(address.origin, tls, null),
  })
  /** Certificates were renewed: what is under way ends as it is, new requests take new connections. */
  const retire = (pair: Pair): void => {
    const ends = Promise.allSettled([pair.request.close(), pair.stream.close()])
    retired.set(
      pair,
      ends.then(() => void retired.delete(pair)),
    )
  }

  return {
    async way(use) {
      if (closed) throw new ApiProblem({ kind: 'aborted', effect: 'none', message: 'the client is closed' })
      const access = await identity.access()
      if (current === null || current.tls !== access.tls) {
        if (current !== null) retire(current)
        current = open(access.tls)
      }
      return { access, dispatcher: current[use], origin: address.origin, prefix }
    },
    async close() {
      closed = true
      const pairs = [...retired.keys(), ...(current === null ? [] : [current])]
      await Promise.all(pairs.flatMap(pair => [pair.request.destroy(), pair.stream.destroy()]))
      await Promise.all(retired.values())
    },
  }
}

interface Pair {
  readonly tls: Tls
  readonly request: Dispatcher
  readonly stream: Dispatcher
}

function dispatcher(origin: string, tls: Tls, connections: number | null): Dispatcher {
  const secure = {
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.certificate === null ? {} : { cert: tls.certificate }),
    ...(tls.key === null ? {} : { key: tls.key }),
    ...(tls.serverName === null ? {} : { servername: tls.serverName }),
    rejectUnauthorized: !tls.insecure,
  }
  const common = {
    connections,
    allowH2: false,
    pipelining: 1,
    // Requests have limits of their own (transport.ts); a watch may say nothing for minutes.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: CLIENT_LIMITS.idleConnectionMs,
    keepAliveMaxTimeout: CLIENT_LIMITS.idleConnectionMs,
  }
  const connect = {
    timeout: CLIENT_LIMITS.connectMs,
    keepAlive: true,
    keepAliveInitialDelay: CLIENT_LIMITS.keepAliveProbeMs,
  }
  if (tls.proxy !== null)
    return new ProxyAgent({
      ...common,
      connectTimeout: CLIENT_LIMITS.connectMs,
      uri: tls.proxy,
      requestTls: secure,
    })
  return new Pool(origin, { ...common, connect: { ...connect, ...secure } })
}
