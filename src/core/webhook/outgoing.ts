import type { Dag, SecretRef } from '../dag/dag.ts'
import type { Json } from '../json.ts'

/** Where the messages of a DAG's runs go. */
export interface OutgoingWebhook {
  readonly url: string
  /** False: the certificate of the receiver is not looked at. */
  readonly verifyTls: boolean
  /** Null: all events. */
  readonly events: ReadonlySet<string> | null
  readonly headers: readonly OutgoingHeader[]
  /** Signs the messages; null: they are not signed. */
  readonly secret: SecretRef | null
}

export interface OutgoingHeader {
  readonly name: string
  readonly value: { readonly kind: 'text'; readonly text: string } | SecretValue
}

interface SecretValue {
  readonly kind: 'secret'
  readonly secret: SecretRef
}

/** Headers that are made here, or that belong to the connection: nobody else sets them. */
export const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'webhook-id',
  'webhook-signature',
  'webhook-timestamp',
])

/** What a DAG says under `webhook`; null when it notifies nobody. The document was checked when it was read. */
export function outgoingOf(dag: Dag): OutgoingWebhook | null {
  const spec = dag.extra['webhook']
  const url = fieldOf(spec, 'url')
  if (typeof url !== 'string' || url === '') return null
  const events = fieldOf(spec, 'events')
  return {
    url,
    verifyTls: fieldOf(spec, 'verifySSL') !== false,
    events: Array.isArray(events) ? new Set(events.map(String)) : null,
    headers: itemsOf(fieldOf(spec, 'headers')).flatMap(headerOf),
    secret: secretRefOf(fieldOf(spec, 'secret')),
  }
}

/** A Secret's name, or `{name, key}`; null when none is named. */
export function secretRefOf(value: Json): SecretRef | null {
  if (typeof value === 'string') return value === '' ? null : { name: value, key: SECRET_KEY }
  const name = fieldOf(value, 'name')
  const key = fieldOf(value, 'key')
  if (typeof name !== 'string' || name === '') return null
  return { name, key: typeof key === 'string' && key !== '' ? key : SECRET_KEY }
}

const SECRET_KEY = 'secret'

/** A member of a map; null when it is not there or this is no map. */
export function fieldOf(value: Json | undefined, name: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const map = value as { readonly [key: string]: Json }
  return Object.hasOwn(map, name) ? (map[name] ?? null) : null
}

export function itemsOf(value: Json): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : []
}

function headerOf(spec: Json): readonly OutgoingHeader[] {
  const name = fieldOf(spec, 'name')
  const text = fieldOf(spec, 'value')
  const secret = secretRefOf(fieldOf(spec, 'fromSecret'))
  if (typeof name !== 'string' || RESERVED_HEADERS.has(name.toLowerCase())) return []
  if (secret !== null) return [{ name, value: { kind: 'secret', secret } }]
  return typeof text === 'string' ? [{ name, value: { kind: 'text', text } }] : []
}
