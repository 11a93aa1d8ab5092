import { isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { nearest } from '../core/nearest.ts'
import { type Setting, type SettingKey, SETTINGS, type SettingValue } from './settings.ts'

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** The setting, as it is called in the file. */
  readonly key: string
  /** `$KONTROLER_…`, or file, line and column; null when several settings together are wrong. */
  readonly place: string | null
  /** To be read after the key. */
  readonly message: string
  readonly fix: string
}

/** The configuration cannot be used. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(
      problems
        .map(
          ({ key, place, message, fix }) => `${key}${place === null ? '' : ` (${place})`} ${message}. ${fix}`,
        )
        .join('\n'),
    )
    this.name = 'ConfigError'
    this.problems = problems
  }
}

export interface ReadSettings {
  /** The value of a setting; its default where it is not set, or wrong. */
  readonly values: <K extends SettingKey>(key: K) => SettingValue<K>
  readonly problems: ConfigProblem[]
}

interface Found {
  readonly value: unknown
  readonly place: string
}

const KEYS = Object.keys(SETTINGS) as readonly SettingKey[]

/** Reads all settings from the environment and a file. A variable that is set to nothing counts as not set. */
export function readSettings(
  env: Readonly<Record<string, string | undefined>>,
  file: { readonly name: string; readonly text: string } | null,
): ReadSettings {
  const problems: ConfigProblem[] = []
  const inFile = file === null ? new Map<string, Found>() : readFile(file, problems)
  const values = new Map<string, unknown>()
  for (const key of KEYS) {
    const one: Setting<unknown, unknown> = SETTINGS[key]
    const text = env[one.env] ?? ''
    const found = text === '' ? inFile.get(key) : { value: text, place: `$${one.env}` }
    if (found === undefined || found.value === null) continue
    const value = one.type.read(found.value)
    if (value === undefined) problems.push(refused(key, one, found))
    else values.set(key, value)
  }
  return {
    problems,
    values: <K extends SettingKey>(key: K) => (values.get(key) ?? SETTINGS[key].default) as SettingValue<K>,
  }
}

function refused(
  key: string,
  { type, secret }: Setting<unknown, unknown>,
  { value, place }: Found,
): ConfigProblem {
  const shown = secret === true ? '(its value is not shown)' : JSON.stringify(value)
  return { key, place, message: `is ${shown}`, fix: `It must be ${type.allowed}.` }
}

function readFile(
  { name, text }: { readonly name: string; readonly text: string },
  problems: ConfigProblem[],
): ReadonlyMap<string, Found> {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, uniqueKeys: true })
  const placeOf = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset)
    return `${name}:${line}:${col}`
  }
  const [error] = document.errors
  if (error !== undefined) {
    // The parser's message quotes the line, which may hold a secret.
    problems.push({
      key: '--config',
      place: placeOf(error.pos[0]),
      message: `is no YAML (${error.code})`,
      fix: 'Mend it.',
    })
    return new Map()
  }
  const found = new Map<string, Found>()
  const root = document.contents
  if (root === null) return found
  if (isMap(root)) collect(root, '', { found, problems, placeOf })
  else
    problems.push({
      key: '--config',
      place: placeOf(0),
      message: 'is no map of settings',
      fix: 'Write KEY: VALUE lines.',
    })
  return found
}

interface Collecting {
  readonly found: Map<string, Found>
  readonly problems: ConfigProblem[]
  placeOf(offset: number): string
}

function collect(map: YAMLMap, above: string, into: Collecting): void {
  for (const { key, value } of map.items) {
    const word = isScalar(key) ? String(key.value) : '?'
    const path = above === '' ? word : `${above}.${word}`
    const place = into.placeOf((key as Node).range?.[0] ?? 0)
    if (KEYS.some(known => known === path))
      into.found.set(path, { value: (value as Node | null)?.toJSON() ?? null, place })
    else if (!KEYS.some(known => known.startsWith(`${path}.`))) into.problems.push(unknown(path, place))
    else if (isMap(value)) collect(value, path, into)
    else if (isScalar(value) && value.value !== null)
      into.problems.push({
        key: path,
        place,
        message: 'is no map',
        fix: `It has the settings ${below(path)}.`,
      })
  }
}

function unknown(path: string, place: string): ConfigProblem {
  const meant = nearest(path, KEYS)
  const fix = meant === null ? `Settings are ${KEYS.join(', ')}.` : `Did you mean ${meant}?`
  return { key: path, place, message: 'is no setting', fix }
}

const below = (path: string): string => KEYS.filter(key => key.startsWith(`${path}.`)).join(', ')
