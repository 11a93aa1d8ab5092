import { randomBytes } from 'node:crypto'
import type { Clock, Identity } from '../ports/clock.ts'

/** The real time. A timer keeps the process alive until it has called, or is called off. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs)
    return () => clearTimeout(timer)
  },
  soon(call) {
    setImmediate(call)
  },
}

/** UUIDv7 (RFC 9562): 48 bits of milliseconds, then chance. Ids made in one millisecond keep their order. */
export const systemIdentity: Identity = { id: uuidv7 }

let lastMs = 0
let sequence = 0

function uuidv7(): string {
  const bytes = randomBytes(16)
  const now = Date.now()
  sequence = now > lastMs ? bytes.readUInt16BE(6) & 0x07ff : sequence + 1
  lastMs = Math.max(now, lastMs)
  if (sequence > 0x0fff) {
    lastMs += 1
    sequence = 0
  }
  bytes.writeUIntBE(lastMs, 0, 6)
  bytes.writeUInt16BE(0x7000 | sequence, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
