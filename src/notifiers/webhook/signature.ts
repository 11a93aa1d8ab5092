import { createHmac } from 'node:crypto'
import { keyBytes } from '../../core/webhook/key.ts'

/** Headers by which a receiver knows a message again, and that it comes from somebody who has the key. */
export function signedHeaders(
  id: string,
  atMs: number,
  body: string,
  key: string | null,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(atMs / 1_000))
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp }
  if (key === null) return headers
  return { ...headers, 'webhook-signature': `v1,${signatureOf(`${id}.${timestamp}.${body}`, key)}` }
}

export function signatureOf(text: string, key: string): string {
  return createHmac('sha256', keyBytes(key)).update(text).digest('base64')
}
