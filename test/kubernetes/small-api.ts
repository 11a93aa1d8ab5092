import type { ServerResponse } from 'node:http'
import type { Client } from '../../src/kubernetes/client.ts'
import { openClient } from '../../src/kubernetes/open-client.ts'
import { plainIdentity, type Seen, type ScriptedServer, scriptedServer } from './scripted-server.ts'

/** An object as this server keeps it. */
export interface Stored {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly resourceVersion: string
    readonly labels?: Readonly<Record<string, string>>
    readonly [field: string]: unknown
  }
  readonly [field: string]: unknown
}

/** May answer a request in the server's place (then it says true), or let it wait. */
export type Meddler = (request: Seen, response: ServerResponse) => boolean | Promise<boolean>

interface Watch {
  readonly path: string
  readonly selector: string
  readonly response: ServerResponse
}

/**
 * Enough of an API server for what an executor asks of it, in this process: objects by path, watches, conditional
 * writes by UID. No admission, no kubelet, no controller: a test is all of these.
 */
export class SmallApi implements AsyncDisposable {
  readonly client: Client
  readonly #server: ScriptedServer
  readonly #objects = new Map<string, Stored>()
  readonly #watches = new Set<Watch>()
  #version = 1
  meddler: Meddler = () => false

  private constructor(server: ScriptedServer, client: Client) {
    this.#server = server
    this.client = client
  }

  static async open(): Promise<SmallApi> {
    const opened: SmallApi[] = []
    const server = await scriptedServer((request, response) => {
      void opened[0]?.answer(request, response)
    })
    const api = new SmallApi(server, openClient({ identity: plainIdentity(server.url) }))
    opened.push(api)
    return api
  }

  /** Requests so far that were not reads: `METHOD name`. */
  get writes(): readonly string[] {
    return this.#server.seen.flatMap(({ method, path, body }) =>
      method === 'GET' ? [] : [`${method} ${method === 'POST' ? nameIn(body) : path.split('/').at(-1)}`],
    )
  }

  get(namespace: string, plural: string, name: string): Stored | undefined {
    return this.#objects.get(pathOf(namespace, plural, name))
  }

  names(plural: string): readonly string[] {
    return [...this.#objects].flatMap(([path, { metadata }]) =>
      path.includes(`/${plural}/`) ? [metadata.name] : [],
    )
  }

  /** Makes or changes an object, as somebody else would; `metadata` is laid over what it has. */
  put(namespace: string, plural: string, name: string, change: object): Stored {
    const path = pathOf(namespace, plural, name)
    const before = this.#objects.get(path)
    const { metadata = {}, ...fields } = change as { metadata?: object }
    this.#version += 1
    const stored: Stored = {
      ...before,
      ...fields,
      metadata: {
        uid: `uid-${this.#version}`,
        ...before?.metadata,
        ...metadata,
        name,
        namespace,
        resourceVersion: String(this.#version),
      },
    }
    this.#objects.set(path, stored)
    this.#tell(path, before === undefined ? 'ADDED' : 'MODIFIED', stored)
    return stored
  }

  remove(namespace: string, plural: string, name: string): void {
    const path = pathOf(namespace, plural, name)
    const stored = this.#objects.get(path)
    if (!this.#objects.delete(path) || stored === undefined) return
    this.#version += 1
    const metadata = { ...stored.metadata, resourceVersion: String(this.#version) }
    this.#tell(path, 'DELETED', { ...stored, metadata })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]()
    await this.#server[Symbol.asyncDispose]()
  }

  async answer(request: Seen, response: ServerResponse): Promise<void> {
    if (await this.meddler(request, response)) return
    const { method, path, query, body } = request
    const [, namespace = '', plural = '', name] =
      /^\/api\/v1\/(?:namespaces\/([^/]+)\/)?([^/]+)(?:\/([^/]+))?$/u.exec(path) ?? []
    if (query.get('watch') !== null) return this.#watch(path, query.get('labelSelector') ?? '', response)
    if (method === 'POST') {
      const made = nameIn(body)
      if (this.get(namespace, plural, made) !== undefined) return refuse(response, 409, 'AlreadyExists')
      return send(response, 201, this.put(namespace, plural, made, JSON.parse(body) as object))
    }
    if (name !== undefined) return this.#one(request, namespace, plural, name, response)
    const selector = query.get('labelSelector') ?? ''
    const items = [...this.#objects].flatMap(([at, one]) => (fits(at, one, path, selector) ? [one] : []))
    if (method === 'DELETE')
      for (const { metadata } of items) this.remove(metadata.namespace, plural, metadata.name)
    send(response, 200, { kind: 'List', metadata: { resourceVersion: String(this.#version) }, items })
  }

  #one(request: Seen, namespace: string, plural: string, name: string, response: ServerResponse): void {
    const stored = this.get(namespace, plural, name)
    if (stored === undefined) return refuse(response, 404, 'NotFound')
    if (request.method === 'DELETE') this.remove(namespace, plural, name)
    if (request.method !== 'PATCH') return send(response, 200, stored)
    const { metadata, spec } = JSON.parse(request.body) as { metadata?: object; spec?: object }
    const change = spec === undefined ? {} : { spec: { ...(stored['spec'] as object), ...spec } }
    send(response, 200, this.put(namespace, plural, name, { ...change, metadata: metadata ?? {} }))
  }

  #watch(path: string, selector: string, response: ServerResponse): void {
    const watch = { path, selector, response }
    this.#watches.add(watch)
    response.on('close', () => this.#watches.delete(watch))
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
  }

  #tell(path: string, type: string, object: Stored): void {
    for (const watch of this.#watches)
      if (fits(path, object, watch.path, watch.selector))
        watch.response.write(`${JSON.stringify({ type, object })}\n`)
  }
}

const pathOf = (namespace: string, plural: string, name: string): string =>
  `/api/v1/namespaces/${namespace}/${plural}/${name}`

const nameIn = (body: string): string => (JSON.parse(body) as Stored).metadata.name

/** `a=b` and `a`, joined by commas. */
function fits(at: string, { metadata }: Stored, path: string, selector: string): boolean {
  const isBelow =
    at.startsWith(`${path}/`) || (!path.includes('/namespaces/') && at.includes(`${path.slice(7)}/`))
  const { labels = {} } = metadata
  return (
    isBelow &&
    selector
      .split(',')
      .filter(part => part !== '')
      .every(part => {
        const [key = '', value] = part.split('=')
        return value === undefined ? key in labels : labels[key] === value
      })
  )
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

export function refuse(response: ServerResponse, code: number, reason: string): void {
  send(response, code, { kind: 'Status', status: 'Failure', code, reason, message: `it is ${reason}` })
}
