import { OPERATIONS, type Operations } from './api-types.ts'
import { type Follow, type FollowOptions, follow } from './follow.ts'
import { problemOf } from './problem.ts'

export type OperationId = keyof typeof OPERATIONS

/** What an operation takes: everything but its answer. */
export type Input<Id extends OperationId> = Omit<Operations[Id], 'answer'>
export type AnswerOf<Id extends OperationId> = Operations[Id]['answer']

export interface Answered<Id extends OperationId> {
  readonly status: number
  readonly headers: Headers
  readonly body: AnswerOf<Id>
}

export interface ClientOptions {
  /** `http://127.0.0.1:8080`; in a browser that was served by it: ``. */
  readonly url: string
  /** A browser that is signed in needs none. */
  readonly token?: string
  readonly fetch?: typeof fetch
}

/**
 * Speaks with a server, knowing what its OpenAPI document says and nothing else.
 *
 * @example
 *   const client = openClient({ url: 'http://127.0.0.1:8080', token })
 *   const { items } = await client.call('listRuns', { query: { phase: ['failed'] } })
 */
export interface Client {
  /** @throws {ApiProblem} The server says no. */
  call<Id extends OperationId>(id: Id, ...input: InputOf<Id>): Promise<AnswerOf<Id>>
  /** The same with the status and the headers, such as an ETag. */
  ask<Id extends OperationId>(id: Id, ...input: InputOf<Id>): Promise<Answered<Id>>
  /** The answer as it comes in: a log that is followed. */
  stream<Id extends OperationId>(id: Id, input: Input<Id>, signal?: AbortSignal): Promise<Response>
  /** Changes as they happen; it goes on by itself where a connection broke. */
  follow(options?: FollowOptions): Follow
}

/** An operation that needs nothing is called with nothing. */
type InputOf<Id extends OperationId> = object extends Input<Id> ? [input?: Input<Id>] : [input: Input<Id>]

export function openClient(options: ClientOptions): Client {
  const send = (id: OperationId, input: AnyInput, signal?: AbortSignal): Promise<Response> =>
    request(options, id, input, signal)
  const ask = async <Id extends OperationId>(id: Id, ...[input]: InputOf<Id>): Promise<Answered<Id>> => {
    const response = await send(id, input ?? {})
    const body: unknown = await bodyOf(id, response)
    return { status: response.status, headers: response.headers, body: body as AnswerOf<Id> }
  }
  return {
    ask,
    call: async (id, ...input) => (await ask(id, ...input)).body,
    stream: (id, input, signal) => send(id, input, signal),
    follow: (wanted = {}) =>
      follow(wanted, (after, signal) => {
        const { signal: _, after: __, trouble: ___, ...query } = wanted
        const headers = after === null ? {} : { 'last-event-id': String(after) }
        return send('followEvents', { query, headers }, signal)
      }),
  }
}

type QueryValue = string | number | boolean
type QueryValues = Readonly<Record<string, QueryValue | readonly QueryValue[] | undefined>>

interface AnyInput {
  readonly params?: Readonly<Record<string, string | number>>
  readonly query?: QueryValues
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly body?: unknown
}

async function request(
  options: ClientOptions,
  id: OperationId,
  { params = {}, query = {}, headers = {}, body }: AnyInput,
  signal?: AbortSignal,
): Promise<Response> {
  const { method, path, body: form } = OPERATIONS[id]
  const address = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])))
  const given = new Headers()
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) given.set(name, value)
  if (options.token !== undefined) given.set('authorization', `Bearer ${options.token}`)
  const sent = body === undefined ? null : textOf(body, form)
  if (sent !== null) given.set('content-type', form === 'document' ? 'application/yaml' : 'application/json')
  const response = await (options.fetch ?? fetch)(`${options.url}${address}${queryText(query)}`, {
    method,
    headers: given,
    body: sent,
    redirect: 'manual',
    ...(signal === undefined ? {} : { signal }),
  })
  if (response.status >= 400) throw await problemOf(response)
  return response
}

/** A document goes as it is. */
function textOf(body: unknown, form: string): string {
  return form === 'document' && typeof body === 'string' ? body : JSON.stringify(body)
}

async function bodyOf(id: OperationId, response: Response): Promise<unknown> {
  const text = await response.text()
  if (text === '') return undefined
  return OPERATIONS[id].answer === 'json' ? JSON.parse(text) : text
}

function queryText(query: QueryValues): string {
  const words = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    const list = typeof value === 'object' ? value : [value]
    for (const one of list) if (one !== undefined) words.append(name, String(one))
  }
  const text = words.toString()
  return text === '' ? '' : `?${text}`
}
