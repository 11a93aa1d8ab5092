/** Of keys as Standard Webhooks writes them: base64 after this. Every other text is the key as it stands. */
const PREFIX = 'whsec_'

/** The bytes of a key that signs messages. */
export function keyBytes(key: string): Uint8Array {
  if (!key.startsWith(PREFIX)) return new TextEncoder().encode(key)
  return Uint8Array.from(atob(key.slice(PREFIX.length)), letter => letter.charCodeAt(0))
}
