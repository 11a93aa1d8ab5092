import { parseDuration } from '../core/dag/duration.ts'

/** How the value of a setting is read: from an environment variable it is a text, from a file whatever YAML gives. */
export interface ValueType<T> {
  /** What is allowed, to follow "must be". */
  readonly allowed: string
  /** Undefined when it is not allowed. */
  read(value: unknown): T | undefined
}

export const text = (allowed: string, fits: (value: string) => boolean): ValueType<string> => ({
  allowed,
  read: value => (typeof value === 'string' && fits(value) ? value : undefined),
})

export const words = (allowed: string): ValueType<string> => text(allowed, value => value.trim() !== '')

export const oneOf = <const T extends string>(...choices: readonly T[]): ValueType<T> => ({
  allowed: choices.length === 1 ? `${choices[0]}` : `one of ${choices.join(', ')}`,
  read: value => choices.find(choice => choice === value),
})

export const flag: ValueType<boolean> = {
  allowed: 'true or false',
  read: value =>
    value === true || value === 'true' ? true : value === false || value === 'false' ? false : undefined,
}

export const whole = (min: number, max: number): ValueType<number> => ({
  allowed: `a whole number from ${min} to ${max}`,
  read(value) {
    const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
    return Number.isInteger(number) && Number(number) >= min && Number(number) <= max
      ? Number(number)
      : undefined
  },
})

const UNITS: Readonly<Record<string, number>> = { Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3, Ti: 1024 ** 4 }

/** An amount as Kubernetes writes it. */
export const bytes = (min: number): ValueType<number> => ({
  allowed: `a number of bytes such as 500Mi or 10Gi, at least ${min / 1024 ** 2}Mi`,
  read(value) {
    const [, digits, unit] = /^(\d{1,15})(Ki|Mi|Gi|Ti)?$/.exec(String(value)) ?? []
    const amount = Number(digits) * (unit === undefined ? 1 : (UNITS[unit] ?? Number.NaN))
    return Number.isSafeInteger(amount) && amount >= min ? amount : undefined
  },
})

/** Milliseconds. */
export const duration = (minMs: number): ValueType<number> => ({
  allowed: 'a duration such as 500ms, 90s, 10m, 1h30m or 30d',
  read(value) {
    const ms = typeof value === 'string' ? parseDuration(value) : null
    return ms !== null && ms >= minMs ? ms : undefined
  },
})

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

/** A name as Kubernetes wants it in a label or a namespace. */
export const label = (max: number): ValueType<string> =>
  text(
    `a DNS label: at most ${max} small letters, digits and dashes, with no dash at either end`,
    value => value.length <= max && LABEL.test(value),
  )

/** Comma-separated in the environment, a list in a file. */
export function list<T>(item: ValueType<T>, what: string): ValueType<readonly T[]> {
  return {
    allowed: `a list of ${what} (in the environment with commas between)`,
    read(value) {
      const parts = typeof value === 'string' ? value.split(',').map(part => part.trim()) : value
      if (!Array.isArray(parts) || parts.length === 0) return undefined
      const read = parts.map(part => item.read(part))
      return read.every(part => part !== undefined) ? [...new Set(read)] : undefined
    },
  }
}

/** `a=1,b=2` in the environment, a map in a file. */
export function mapOf<T>(
  name: ValueType<string>,
  item: ValueType<T>,
  what: string,
): ValueType<ReadonlyMap<string, T>> {
  return {
    allowed: `${what} (in the environment as NAME=NUMBER,NAME=NUMBER)`,
    read(value) {
      const entries = entriesOf(value)
      const read = entries?.map(([key, one]) => [name.read(key), item.read(one)] as const)
      const map = new Map<string, T>()
      for (const [key, one] of read ?? []) {
        if (key === undefined || one === undefined || map.has(key)) return undefined
        map.set(key, one)
      }
      return read === undefined ? undefined : map
    },
  }
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] | undefined {
  if (typeof value === 'string')
    return value.split(',').map(part => {
      const at = part.indexOf('=')
      return [part.slice(0, Math.max(at, 0)).trim(), part.slice(at + 1).trim()]
    })
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value)
    : undefined
}

export interface Listen {
  readonly host: string
  readonly port: number
}

/** `HOST:PORT`, with an IPv6 address in brackets. */
export const listenAddress: ValueType<Listen> = {
  allowed: 'HOST:PORT, such as 0.0.0.0:8080 or [::]:8080',
  read(value) {
    const match =
      typeof value === 'string' ? /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(value) : null
    const port = Number(match?.[3])
    const host = match?.[1] ?? match?.[2]
    return host !== undefined && port <= 65_535 ? { host, port } : undefined
  },
}

/** Everything is allowed that begins as such a URL does; whoever opens it looks closer. */
export const url = (...schemes: readonly string[]): ValueType<string> =>
  text(`a URL that begins with ${schemes.map(scheme => `${scheme}://`).join(' or ')}`, value => {
    const parsed = URL.parse(value)
    return parsed !== null && schemes.some(scheme => parsed.protocol === `${scheme}:`)
  })
