import { createRequire } from 'node:module'
import type * as Yaml from 'yaml'

const require = createRequire(import.meta.url)

/** YAML without aliases, which our own documents may not have; texts of several lines stay readable. */
export function yamlText(value: unknown): string {
  // Loaded only here: it is 72 modules, and most commands print none.
  const { stringify } = require('yaml') as typeof Yaml
  return stringify(value, { lineWidth: 0, blockQuote: 'literal', aliasDuplicateObjects: false })
}
