import {
  type AddressKind,
  type Range,
  addressBytes,
  isRangeWithin,
  isWithin,
  kindOf,
  rangeOf,
} from './addresses.ts'

/** Where messages may be sent, beside public addresses. */
export interface AddressPolicy {
  readonly loopback: boolean
  readonly ranges: readonly Range[]
  /** Names whose private addresses are allowed; one that begins with a dot stands for all that end with it. */
  readonly names: readonly string[]
  /** Null: every port. */
  readonly ports: ReadonlySet<number> | null
}

/** Those that nothing but an entry of their own allows. */
const GUARDED: ReadonlySet<AddressKind> = new Set(['linkLocal', 'metadata'])
const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10'].flatMap(text => rangeOf(text) ?? [])

/** An entry of the list: a range, one address, a name, or `*.example.com`. Null: nothing of these. */
export function policyEntry(text: string): Range | string | null {
  const range = rangeOf(text)
  if (range !== null) return range
  const name = text.toLowerCase().replace(/^\*(?=\.)/, '')
  return /^\.?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name) && /[a-z]/.test(name) ? name : null
}

export function policyOf(
  entries: readonly string[],
  loopback: boolean,
  ports: readonly number[] | null,
): AddressPolicy {
  const read = entries.map(policyEntry)
  return {
    loopback,
    ranges: read.filter(entry => entry !== null && typeof entry !== 'string'),
    names: read.filter(entry => typeof entry === 'string'),
    ports: ports === null ? null : new Set(ports),
  }
}

/**
 * Whether a message for this name may go to this address. Link-local addresses, and those of metadata services, need an
 * entry that is about them: a large range or a name does not allow them by the way.
 */
export function mayConnect(policy: AddressPolicy, name: string, address: string): boolean {
  const bytes = addressBytes(address)
  if (bytes === null) return false
  const kind = kindOf(bytes)
  if (kind === 'public') return true
  const listed = policy.ranges.filter(range => isWithin(bytes, range))
  if (GUARDED.has(kind)) return listed.some(range => isOwnEntry(range, kind))
  if (listed.length > 0) return true
  if (kind === 'loopback' && policy.loopback) return true
  return kind !== 'reserved' && isNamed(policy, name)
}

export function mayUsePort(policy: AddressPolicy, port: number): boolean {
  return policy.ports === null || policy.ports.has(port)
}

/** Of a metadata service: the address itself. Of other link-local ones: a range that lies within theirs. */
function isOwnEntry(range: Range, kind: AddressKind): boolean {
  if (kind === 'metadata') return range.bits === 128
  return LINK_LOCAL.some(all => isRangeWithin(range, all))
}

function isNamed(policy: AddressPolicy, name: string): boolean {
  const host = name.toLowerCase().replace(/\.$/, '')
  return policy.names.some(entry => (entry.startsWith('.') ? host.endsWith(entry) : host === entry))
}
