import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import type { Identity } from '../../../src/kubernetes/identity.ts'

/** How many requests are under way at most. */
const IN_FLIGHT_MAX = 32
const AGAIN_MS = 200

type Method = 'PATCH' | 'POST' | 'PUT' | 'DELETE'

/**
 * What a node writes, in a kubelet's own way: strategic merge patches, said again for as long as the server cannot be
 * reached. It does not go through the client that the tests are about.
 */
export class NodeWrites {
  readonly #identity: Identity
  readonly #closing = new AbortController()
  #pool: Promise<Pool> | null = null

  constructor(identity: Identity) {
    this.#identity = identity
  }

  /** @returns The answer's status: 2xx, or what it is of no use to say again; 0 when this was closed before. */
  async send(method: Method, path: string, body: object = {}): Promise<number> {
    const { signal } = this.#closing
    const text = JSON.stringify(body)
    while (!signal.aborted) {
      const status = await this.#try(method, path, text).catch(() => 0)
      if (status >= 200 && status < 500 && status !== 429) return status
      await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined)
    }
    return 0
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await (await this.#pool)?.destroy()
  }

  async #try(method: Method, path: string, text: string): Promise<number> {
    const { authorization } = await this.#identity.access()
    this.#pool ??= this.#open()
    const { statusCode, body } = await (await this.#pool).request({
      method,
      path,
      body: text,
      signal: this.#closing.signal,
      headers: {
        'content-type': `application/${method === 'PATCH' ? 'strategic-merge-patch+' : ''}json`,
        // Nobody reads it: the smallest that the server gives.
        accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io, application/json',
        'user-agent': 'fake-node',
        ...(authorization === null ? {} : { authorization }),
      },
    })
    await body.dump()
    return statusCode
  }

  async #open(): Promise<Pool> {
    const { tls } = await this.#identity.access()
    const connect = {
      ...(tls.ca === null ? {} : { ca: tls.ca }),
      ...(tls.certificate === null ? {} : { cert: tls.certificate }),
      ...(tls.key === null ? {} : { key: tls.key }),
    }
    return new Pool(this.#identity.server, { connections: IN_FLIGHT_MAX, connect })
  }
}
