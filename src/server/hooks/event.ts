import type { Json } from '../../core/json.ts'
import type { HookEvent } from '../../core/webhook/incoming.ts'
import { jsonOf, textOf } from '../body.ts'

/** What a sender shows to prove itself, and what belongs to the connection, is no part of an event. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'cookie',
  'host',
  'proxy-authorization',
  'transfer-encoding',
  'x-gitlab-token',
])

/**
 * The event that a request brings: JSON as data, a form as a map, everything else as text.
 *
 * @param secretHeader  Header with the token, which no parameter may take up.
 * @throws {RequestProblem} `MALFORMED_BODY`
 */
export function eventOf(
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>>,
  query: Readonly<Record<string, Json>>,
  secretHeader: string | null,
): HookEvent {
  const shown = Object.entries(headers).filter(([name]) => !LEFT_OUT.has(name) && name !== secretHeader)
  return { body: bodyOf(bytes, headers['content-type'] ?? ''), headers: Object.fromEntries(shown), query }
}

function bodyOf(bytes: Uint8Array, type: string): Json {
  if (bytes.length === 0) return null
  const [form = ''] = type.toLowerCase().split(';')
  if (form.trim() === 'application/x-www-form-urlencoded')
    return Object.fromEntries(new URLSearchParams(textOf(bytes)))
  if (/^(?:application\/(?:[\w.+-]+\+)?json|text\/json)?$/.test(form.trim())) return jsonOf(bytes) as Json
  return textOf(bytes)
}
