import { createRequire } from 'node:module'
import type * as Yaml from 'yaml'

const require = createRequire(import.meta.url)

export type DataFormat = 'json' | 'yaml'

export const isDataFormat = (format: string | undefined): format is DataFormat =>
  format === 'json' || format === 'yaml'

/** Data for programs, on standard output. */
export function printData(format: DataFormat, value: unknown): void {
  process.stdout.write(format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : yamlText(value))
}

/** YAML without aliases, which our own documents may not have; texts of several lines stay readable. */
export function yamlText(value: unknown): string {
  // Loaded only here: it is 72 modules, and most commands print none.
  const { stringify } = require('yaml') as typeof Yaml
  return stringify(value, { lineWidth: 0, blockQuote: 'literal', aliasDuplicateObjects: false })
}

export function printLines(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`)
}
