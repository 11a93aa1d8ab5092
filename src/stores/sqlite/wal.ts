import { readFileSync } from 'node:fs'

const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const MAGIC = 0x377f0682
/** Longest log looked at; a longer one belongs to a process that is in the middle of something large. */
const BYTES_MAX = 64 * 1024 * 1024

/**
 * Whether the write-ahead log beside a database was damaged after it had been written.
 *
 * SQLite ends its log at the first frame whose checksum is wrong and silently forgets what follows. After a power
 * loss that is right: only the last, never acknowledged transaction can be torn, since every commit is synced before
 * the next begins. A broken frame with a *later* transaction behind that of its own is something else: acknowledged
 * work would be dropped. Read twice, as another process may be writing.
 */
export function walIsDamaged(database: string): boolean {
  const file = `${database}-wal`
  const first = damagedAt(bytes(file))
  return first !== null && first === damagedAt(bytes(file))
}

function bytes(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch {
    return Buffer.alloc(0)
  }
}

/** Position of the broken frame together with the log's salt; null when all is well. */
function damagedAt(log: Buffer): string | null {
  if (log.length < HEADER_BYTES || log.length > BYTES_MAX) return null
  const magic = log.readUInt32BE(0)
  if ((magic & 0xfffffffe) !== MAGIC) return null
  const little = (magic & 1) === 0
  const size = log.readUInt32BE(8)
  if (size < 512 || size > 65_536) return null
  const salt = log.toString('hex', 16, 24)
  let sum = checksum(log, 0, 24, little, [0, 0])
  if (sum[0] !== log.readUInt32BE(24) || sum[1] !== log.readUInt32BE(28)) return null
  const step = FRAME_HEADER_BYTES + size
  for (let at = HEADER_BYTES; at + step <= log.length; at += step) {
    // Frames of an earlier round of the log follow the last one of this round.
    if (log.toString('hex', at + 8, at + 16) !== salt) {
      return commitsAfter(log, at, step, salt) > 1 ? `${salt} ${at}` : null
    }
    sum = checksum(log, at, 8, little, sum)
    sum = checksum(log, at + FRAME_HEADER_BYTES, size, little, sum)
    if (sum[0] !== log.readUInt32BE(at + 16) || sum[1] !== log.readUInt32BE(at + 20))
      return commitsAfter(log, at, step, salt) > 1 ? `${salt} ${at}` : null
  }
  return null
}

/** Commit frames of this round of the log, from a place on. */
function commitsAfter(log: Buffer, from: number, step: number, salt: string): number {
  let commits = 0
  for (let at = from; at + step <= log.length; at += step) {
    if (log.readUInt32BE(at + 4) !== 0 && log.toString('hex', at + 8, at + 16) === salt) commits += 1
  }
  return commits
}

type Sum = readonly [number, number]

/** The checksum of SQLite's log format: two running sums over pairs of 32-bit words. */
function checksum(log: Buffer, start: number, length: number, little: boolean, sum: Sum): Sum {
  let [a, b] = sum
  for (let at = start; at < start + length; at += 8) {
    const x = little ? log.readUInt32LE(at) : log.readUInt32BE(at)
    const y = little ? log.readUInt32LE(at + 4) : log.readUInt32BE(at + 4)
    a = (a + x + b) >>> 0
    b = (b + y + a) >>> 0
  }
  return [a, b]
}
