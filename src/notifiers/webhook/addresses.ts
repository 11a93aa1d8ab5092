import { isIP } from 'node:net'

/**
 * What an address is to somebody who may not choose freely where we connect to. `metadata` are the services that hand
 * out credentials of machines; they come before everything else that an address may be.
 */
export type AddressKind = 'public' | 'loopback' | 'private' | 'linkLocal' | 'metadata' | 'reserved'

/** An address as 16 bytes; IPv4 as it is written in IPv6 (`::ffff:0:0/96`). */
export type AddressBytes = Uint8Array

/** A range of addresses; `bits` counts from the front of the 128. */
export interface Range {
  readonly bytes: AddressBytes
  readonly bits: number
}

/** Null: no address. A zone (`%eth0`) does not count. */
export function addressBytes(text: string): AddressBytes | null {
  const [plain = ''] = text.split('%')
  const version = isIP(plain)
  if (version === 0) return null
  const bytes = new Uint8Array(16)
  if (version === 4) {
    bytes.set([0xff, 0xff], 10)
    bytes.set(plain.split('.').map(Number), 12)
    return bytes
  }
  // The dotted form of the last four bytes, as two groups.
  const last = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(plain)
  const [whole = '', a, b, c, d] = last ?? []
  const group = (high: unknown, low: unknown): string => (Number(high) * 256 + Number(low)).toString(16)
  const hex = last === null ? plain : plain.slice(0, -whole.length) + `${group(a, b)}:${group(c, d)}`
  const [front = '', back] = hex.split('::')
  const groups = (part: string | undefined): string[] =>
    part === undefined || part === '' ? [] : part.split(':')
  const [first, second] = [groups(front), groups(back)]
  const between = Array.from({ length: 8 - first.length - second.length }, () => '0')
  const all = back === undefined ? first : [...first, ...between, ...second]
  for (const [index, part] of all.entries()) {
    const value = Number.parseInt(part, 16)
    bytes[2 * index] = value >> 8
    bytes[2 * index + 1] = value & 0xff
  }
  return bytes
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. Null: neither. */
export function rangeOf(text: string): Range | null {
  const [address = '', length] = text.split('/')
  const bytes = address.includes('%') ? null : addressBytes(address)
  if (bytes === null) return null
  const most = isIP(address) === 4 ? 32 : 128
  if (length === undefined) return { bytes, bits: 128 }
  if (!/^\d{1,3}$/.test(length) || Number(length) > most) return null
  return { bytes, bits: 128 - most + Number(length) }
}

export function isWithin(bytes: AddressBytes, range: Range): boolean {
  for (let bit = 0; bit < range.bits; bit += 8) {
    const left = Math.min(8, range.bits - bit)
    const mask = (0xff << (8 - left)) & 0xff
    if (((bytes[bit / 8] ?? 0) & mask) !== ((range.bytes[bit / 8] ?? 0) & mask)) return false
  }
  return true
}

/** Whether all of the first lies in the second. */
export function isRangeWithin(inner: Range, outer: Range): boolean {
  return inner.bits >= outer.bits && isWithin(inner.bytes, outer)
}

/** An IPv4 address that is written in IPv6, or that a gateway makes of it, is what it leads to. */
export function kindOf(bytes: AddressBytes): AddressKind {
  const real = embedded(bytes) ?? bytes
  return KINDS.find(([, ranges]) => ranges.some(range => isWithin(real, range)))?.[0] ?? 'public'
}

/** IPv4 inside of NAT64 (RFC 6052), 6to4 and the old compatible form. */
function embedded(bytes: AddressBytes): AddressBytes | null {
  const at = [NAT64, COMPATIBLE].some(range => isWithin(bytes, range))
    ? 12
    : isWithin(bytes, SIX_TO_FOUR)
      ? 2
      : null
  if (at === null) return null
  // `::` and `::1` are addresses of their own.
  if (isWithin(bytes, COMPATIBLE) && bytes.slice(12, 15).every(byte => byte === 0)) return null
  const real = new Uint8Array(16)
  real.set([0xff, 0xff], 10)
  real.set(bytes.slice(at, at + 4), 12)
  return real
}

const ranges = (...texts: readonly string[]): readonly Range[] =>
  texts.map(text => rangeOf(text) ?? { bytes: new Uint8Array(16), bits: 128 })

const [NAT64, COMPATIBLE, SIX_TO_FOUR] = ranges('64:ff9b::/96', '::/96', '2002::/16') as [Range, Range, Range]

/** What the registries of IANA reserve, and the metadata services of the large clouds. The first that fits counts. */
const KINDS: readonly (readonly [AddressKind, readonly Range[]])[] = [
  [
    'metadata',
    ranges(
      '169.254.169.254',
      '169.254.170.2',
      '169.254.170.23',
      'fd00:ec2::254',
      'fd00:ec2::23',
      'fd20:ce::254',
      '100.100.100.200',
      '168.63.129.16',
      '192.0.0.192',
    ),
  ],
  ['loopback', ranges('127.0.0.0/8', '::1')],
  ['linkLocal', ranges('169.254.0.0/16', 'fe80::/10')],
  [
    'private',
    ranges('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7', 'fec0::/10'),
  ],
  [
    'reserved',
    ranges(
      '0.0.0.0/8',
      '192.0.0.0/24',
      '192.0.2.0/24',
      '192.88.99.0/24',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '224.0.0.0/4',
      '240.0.0.0/4',
      '::/96',
      '64:ff9b:1::/48',
      '100::/64',
      '2001::/23',
      '2001:db8::/32',
      '3fff::/20',
      '5f00::/16',
      'ff00::/8',
    ),
  ],
]
