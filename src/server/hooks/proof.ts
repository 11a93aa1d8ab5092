import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Proof } from '../../core/webhook/incoming.ts'
import { keyBytes } from '../../core/webhook/key.ts'

/** Signatures in one header that are looked at: senders that change their key send two. */
const SIGNATURES_MAX = 8

/** One header in small letters; null when it is not there. */
export type HeaderOf = (name: string) => string | null

/** What was proven: what of the request is signed, so that the same again can be known. Null: nothing. */
export interface Proven {
  /** Of everything that the signature is about; null when the sender shows a token only. */
  readonly digest: string | null
}

/**
 * Checks what a sender shows over the bytes that came, before anybody reads them. Compared in constant time; why it is
 * not good is not told.
 */
export function proven(
  proof: Proof,
  key: string,
  body: Uint8Array,
  headerOf: HeaderOf,
  now: number,
): Proven | null {
  switch (proof.kind) {
    case 'token': {
      const shown = withoutPrefix(headerOf(proof.header), proof.prefix)
      return shown !== null && isSame(shown, key) ? { digest: null } : null
    }
    case 'hmac': {
      const shown = withoutPrefix(headerOf(proof.header), proof.prefix)
      const wanted = createHmac(proof.algorithm, Buffer.from(key)).update(body).digest(proof.encoding)
      const given = proof.encoding === 'hex' ? shown?.toLowerCase() : shown
      return given !== undefined && given !== null && isSame(given, wanted)
        ? { digest: digestOf([body]) }
        : null
    }
    case 'stripe': {
      const parts = (headerOf('stripe-signature') ?? '').split(',').map(part => part.trim())
      const time = parts.find(part => part.startsWith('t='))?.slice(2) ?? ''
      if (!isNear(time, now, proof.toleranceMs)) return null
      const wanted = createHmac('sha256', Buffer.from(key)).update(`${time}.`).update(body).digest('hex')
      const shown = parts.filter(part => part.startsWith('v1=')).map(part => part.slice(3))
      // A sender signs each of its attempts anew, with another time.
      return anySame(shown, wanted) ? { digest: digestOf([body]) } : null
    }
    case 'standard': {
      const id = headerOf('webhook-id') ?? ''
      const time = headerOf('webhook-timestamp') ?? ''
      if (id === '' || !isNear(time, now, proof.toleranceMs)) return null
      const text = `${id}.${time}.`
      const wanted = createHmac('sha256', keyBytes(key)).update(text).update(body).digest('base64')
      const shown = (headerOf('webhook-signature') ?? '')
        .split(' ')
        .filter(one => one.startsWith('v1,'))
        .map(one => one.slice(3))
      return anySame(shown, wanted) ? { digest: digestOf([Buffer.from(id)]) } : null
    }
  }
}

export function digestOf(parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('base64url')
}

function anySame(shown: readonly string[], wanted: string): boolean {
  return shown.slice(0, SIGNATURES_MAX).some(one => isSame(one, wanted))
}

/** Neither how long they are nor where they differ shows in the time it takes. */
function isSame(a: string, b: string): boolean {
  const [one, two] = [a, b].map(text => createHash('sha256').update(text).digest())
  return one !== undefined && two !== undefined && timingSafeEqual(one, two)
}

function withoutPrefix(header: string | null, prefix: string): string | null {
  if (header === null) return null
  const fits = header.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase()
  return fits ? header.slice(prefix.length) : null
}

/** Seconds since 1970. */
function isNear(time: string, now: number, toleranceMs: number): boolean {
  return /^\d{1,11}$/.test(time) && Math.abs(Number(time) * 1_000 - now) <= toleranceMs
}
