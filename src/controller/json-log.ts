import type { LogLevel } from '../config.ts'

/** What is told beside the sentence; names are camelCase. */
export type LogFields = Readonly<Record<string, unknown>>

/** The controller's own log: one JSON object a line. */
export interface Log {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
}

export interface LogOptions {
  readonly level: LogLevel
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Takes one line with its end. */
  readonly write: (line: string) => void
}

const LEVELS = ['error', 'warn', 'info', 'debug'] as const
/** Characters of one text in a line; what is longer is cut. */
const TEXT_LENGTH_MAX = 8_192
/** Levels of objects in objects. */
const DEPTH_MAX = 6

/**
 * Makes a log. A line has `time`, `level`, `message` and the fields given with it. Secrets stay out: values of type
 * `Secret` write themselves as `[secret]`, and passwords in addresses are taken out of every text.
 */
export function createLog({ level, now, write }: LogOptions): Log {
  const at =
    (own: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LEVELS.indexOf(own) > LEVELS.indexOf(level)) return
      const head = { time: new Date(now()).toISOString(), level: own, message: shown(message) }
      const rest = Object.entries(fields).filter(([key, value]) => !(key in head) && value !== undefined)
      write(`${JSON.stringify({ ...head, ...Object.fromEntries(rest.map(([k, v]) => [k, plain(v, 0)])) })}\n`)
    }
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') }
}

/** Anything as JSON, without ever throwing. */
function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return shown(value)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object') return typeof value
  if (value instanceof Error) return errorOf(value, depth)
  if (depth >= DEPTH_MAX) return '…'
  if ('toJSON' in value && typeof value.toJSON === 'function') return plain(String(value.toJSON()), depth)
  if (Array.isArray(value)) return value.map(item => plain(item, depth + 1))
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  return Object.fromEntries(entries.map(([key, item]) => [String(key), plain(item, depth + 1)]))
}

function errorOf(error: Error, depth: number): unknown {
  const code = 'code' in error ? { code: String(error.code) } : {}
  const cause =
    error.cause === undefined || depth >= DEPTH_MAX ? {} : { cause: plain(error.cause, depth + 1) }
  const stack = error.stack === undefined ? {} : { stack: shown(error.stack) }
  return { name: error.name, ...code, message: shown(error.message), ...stack, ...cause }
}

/**
 * Takes the password out of addresses such as `postgres://user:password@host`, and cuts what is too long. A cut may go
 * through a password: what looks like the beginning of one is taken out there, too.
 */
function shown(text: string): string {
  if (text.length <= TEXT_LENGTH_MAX) return text.replace(PASSWORD, '$1:[secret]@')
  return `${text.slice(0, TEXT_LENGTH_MAX)}…`
    .replace(PASSWORD, '$1:[secret]@')
    .replace(CUT_PASSWORD, '$1:[secret]…')
}

const PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@]*@/gi
const CUT_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@]*…$/i
