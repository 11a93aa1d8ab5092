import { readFileSync } from 'node:fs'
import type { SecretRef } from '../core/dag/dag.ts'
import type { ValueSource } from '../ports/secrets.ts'
import { CommandError } from './exit.ts'

/** Values of Secrets or ConfigMaps by `namespace/name/key`, namespace `*` for any. They live in memory only. */
export type KeyedValues = ReadonlyMap<string, string>

/** Looks in what was given on the command line first, then in the documents beside the DAG. */
export function valueSource(
  given: KeyedValues,
  secrets: () => KeyedValues,
  configMaps: () => KeyedValues,
): ValueSource {
  const find = (values: KeyedValues, namespace: string, ref: SecretRef): string | null =>
    values.get(`${namespace}/${ref.name}/${ref.key}`) ?? null
  return {
    secret: (namespace, ref) => Promise.resolve(find(given, '*', ref) ?? find(secrets(), namespace, ref)),
    configMap: (namespace, ref) => Promise.resolve(find(configMaps(), namespace, ref)),
  }
}

/**
 * `NAME=value` (key `secret`) or `NAME/KEY=value`. A value `@FILE` is what the file holds, without its last line break,
 * so that a secret need not stand among arguments, which everybody on the machine can read; `@@` stands for a `@`.
 */
export function secretOptions(texts: readonly string[]): KeyedValues {
  const values = new Map<string, string>()
  for (const text of texts) {
    const match = /^([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?:\/([A-Za-z0-9._-]+))?=(.*)$/s.exec(text)
    if (match === null) {
      // The text may hold the secret itself, so it is not repeated.
      throw new CommandError(
        'BAD_OPTION',
        'a --secret was not understood',
        'write --secret NAME=value, NAME/KEY=value or NAME/KEY=@FILE',
      )
    }
    const [, name = '', key = 'secret', value = ''] = match
    values.set(`*/${name}/${key}`, value.startsWith('@') ? secretIn(value.slice(1)) : value)
  }
  return values
}

function secretIn(file: string): string {
  if (file.startsWith('@')) return file
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch {
    throw new CommandError(
      'BAD_OPTION',
      `the file ${file} of a --secret cannot be read`,
      'check the path; a secret that begins with @ is written with two',
    )
  }
}

/** `NAME=value` texts as pairs. */
export function assignments(option: string, texts: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const text of texts) {
    const at = text.indexOf('=')
    if (at < 1)
      throw new CommandError('BAD_OPTION', `${option} ${text} has no value`, `write ${option} NAME=value`)
    values.set(text.slice(0, at), text.slice(at + 1))
  }
  return values
}

/** The number that an option says: a whole one from 1 on. */
export function wholeNumber(option: string, text: string, most = 999_999): number {
  if (/^[1-9]\d{0,8}$/.test(text) && Number(text) <= most) return Number(text)
  throw new CommandError(
    'BAD_OPTION',
    `${option} ${text} is not a number that fits`,
    `give a whole number from 1 to ${most}`,
  )
}

/** Every value, for masking. */
export function valuesIn(values: KeyedValues): readonly string[] {
  return [...values.values()]
}
