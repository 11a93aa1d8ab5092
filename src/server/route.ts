import type { Readable } from 'node:stream'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type * as z from 'zod'
import type { AuditFact } from '../ports/accounts.ts'
import type { Access, Authorized } from './access.ts'
import type { ServerParts } from './parts.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/**
 * A route as data: the server, the OpenAPI document, the typed client and the tests are made of these. What the
 * handler gets is checked, and the object that it is about is authorized.
 */
export interface Route<Params = unknown, Query = unknown, Body = unknown, Found = unknown> {
  /** Name of the operation: `listRuns`. */
  readonly id: string
  readonly method: Method
  /** Parts in braces are `params`: `/api/v1/runs/{run}`. */
  readonly path: `/${string}`
  /** One line, for the reference. */
  readonly summary: string
  readonly access: Access<Params, Body, Found>
  /** Of a POST that only asks. */
  readonly changesNothing?: true
  /** Of a route that is of no use without accounts. */
  readonly needs?: 'accounts'
  readonly params?: z.ZodType<Params>
  readonly query?: z.ZodType<Query>
  readonly body?: BodyForm<Body>
  /** Request headers that mean something here. */
  readonly headers?: Readonly<Record<string, string>>
  /** By status. Problems are answers of every route and not named. */
  readonly responses: Readonly<Record<number, ResponseForm>>
  readonly handle: (call: Call<Params, Query, Body, Found>) => Promise<Answer>
}

/** JSON that is checked, or the text of documents, whose problems have places. */
export type BodyForm<Body> =
  | { readonly kind: 'json'; readonly schema: z.ZodType<Body>; readonly optional?: true }
  | { readonly kind: 'document' }
  /** What came, of whatever form, before anybody reads it. */
  | { readonly kind: 'bytes' }

export interface ResponseForm {
  readonly description: string
  /** Of a JSON answer. */
  readonly schema?: z.ZodType
  /** Of any other answer. */
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Call<Params, Query, Body, Found> extends Authorized<Found> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  /** One header; several of a name count as none. */
  readonly header: (name: string) => string | null
  /** All headers of one value, by their names in small letters. */
  readonly headers: Readonly<Record<string, string>>
  /** Where the request comes from. */
  readonly address: string
  /** The address that was asked for, with its query. */
  readonly url: string
  /** Adds to what the audit log will say. */
  readonly note: (more: Noted) => void
  /** Whether who asked may still see what they were allowed to see: for answers that take long. */
  readonly stillMay: () => Promise<boolean>
  readonly parts: ServerParts
}

/** What only the handler knows of an entry of the audit log; of who signs in, for instance, before they are known. */
export type Noted = Partial<
  Pick<AuditFact, 'actor' | 'actorName' | 'namespace' | 'object' | 'before' | 'after'>
>

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | string[]>>
  /** JSON. */
  readonly body?: unknown
  readonly text?: string
  readonly stream?: Readable
  /** Takes the connection over; nothing else is answered. */
  readonly take?: (request: IncomingMessage, response: ServerResponse) => void
}

/** Whether what the route does is written down: all that changes something, and all that lets somebody in.
 * Events of other systems are not: each run says which trigger it came from, and who has no key writes nothing here. */
export const isAudited = ({ method, access, changesNothing }: AnyRoute): boolean =>
  access.kind === 'entrance' || (method !== 'GET' && changesNothing !== true && access.kind !== 'signed')

/** A route whose own types are nobody's business any more. */
export type AnyRoute = Route

/** Keeps what a handler gets in step with what the route declares. */
export function route<Params = unknown, Query = unknown, Body = unknown, Found = unknown>(
  declared: Route<Params, Query, Body, Found>,
): AnyRoute {
  // Nothing but the server calls the handler, with what these very schemas gave.
  return declared as unknown as AnyRoute
}

export const ok = (body: unknown, headers?: Readonly<Record<string, string>>): Answer => ({
  status: 200,
  body,
  ...(headers === undefined ? {} : { headers }),
})
