import type { Client } from './client.ts'
import { createConnections } from './connections.ts'
import type { Identity } from './identity.ts'
import { createLimiter, type LimiterOptions } from './limiter.ts'
import { CLIENT_LIMITS } from './limits.ts'
import * as reading from './reading.ts'
import * as removing from './removing.ts'
import { createSender, JSON_TYPE, parsed, textOf } from './sender.ts'
import { REAL_TIMING, type Timing } from './timing.ts'
import { createTransport } from './transport.ts'
import * as writing from './writing.ts'

export interface ClientOptions {
  readonly identity: Identity
  /** The owner of the fields that are written. Default `kontroler`. */
  readonly fieldManager?: string
  /** In the server's audit log. Default: the field manager. */
  readonly userAgent?: string
  /** Requests in flight: 16 to begin with, 4 to 64 as the server takes them. */
  readonly limit?: LimiterOptions
  readonly timing?: Timing
}

/** Opens a client of the cluster that the identity names. Nothing is sent yet. Close it when done. */
export function openClient(options: ClientOptions): Client {
  const { identity, timing = REAL_TIMING, fieldManager = 'kontroler' } = options
  const limiter = createLimiter(timing, options.limit)
  const connections = createConnections(identity, options.limit?.max ?? CLIENT_LIMITS.inFlightMax)
  const closing = new AbortController()
  let heard: { readonly text: string; readonly local: number } | null = null
  const transport = createTransport({
    identity,
    connections,
    limiter,
    timing,
    closing: closing.signal,
    userAgent: options.userAgent ?? fieldManager,
    onDate: text => {
      heard = { text, local: timing.wall() }
    },
  })
  const sender = createSender(transport, fieldManager)

  const close = (): Promise<void> => {
    closing.abort()
    return connections.close()
  }
  return {
    identity,
    limiter,
    timing,
    serverTime: () => (heard === null ? null : { server: Date.parse(heard.text), local: heard.local }),
    get: (resource, place, given) => reading.get(sender, resource, place, given),
    list: (resource, query, given) => reading.list(sender, resource, query ?? {}, given),
    pages: (resource, query, given) => reading.pages(sender, resource, query ?? {}, given),
    create: (resource, namespace, body, given) => writing.create(sender, resource, namespace, body, given),
    createBrief: (resource, namespace, body, given) =>
      writing.createBrief(sender, resource, namespace, body, given),
    createBelow: (resource, place, below, body, given) =>
      writing.createBelow(sender, resource, place, below, body, given),
    replace: (resource, place, body, given) =>
      writing.change(sender, 'replace', [resource, place], body, given),
    apply: (resource, place, body, given) =>
      writing.change(sender, 'apply', [resource, place], body, given, { force: given?.force }),
    mergePatch: (resource, place, patch, given) =>
      writing.change(sender, 'mergePatch', [resource, place], patch, given),
    jsonPatch: (resource, place, patch, given) =>
      writing.change(sender, 'jsonPatch', [resource, place], patch, given),
    remove: (resource, place, given) => removing.remove(sender, resource, place, given),
    removeAll: (resource, query, given) => removing.removeAll(sender, resource, query, given),
    logs: (pod, query, given) => reading.logs(sender, pod, query ?? {}, given),
    watch: (resource, namespace, query, given) => reading.watch(sender, resource, namespace, query, given),
    async raw(method, path, body, given) {
      const repeat = given?.repeat ?? (method === 'GET' ? 'always' : 'ifUntouched')
      const sent = body === undefined ? {} : { body: textOf(body), contentType: JSON_TYPE }
      const answer = await sender.send({ method, path, repeat, ...sent, measured: false }, given)
      return answer.length === 0 ? null : parsed<unknown>(answer)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
