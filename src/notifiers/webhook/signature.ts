import { createHmac } from 'node:crypto'

/** Of keys as Standard Webhooks writes them: base64 after this. Any other text is the key as it stands. */
const PREFIX = 'whsec_'

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

/** @returns At least one byte: an empty key would sign nothing. */
export function keyBytes(key: string): Uint8Array {
  if (!key.startsWith(PREFIX)) return Buffer.from(key)
  return Buffer.from(key.slice(PREFIX.length), 'base64')
}
