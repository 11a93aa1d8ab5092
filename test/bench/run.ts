/**
 * `npm run bench -- [--rounds N] [--only TEXT] [--date DATE] [--no-page] GROUP …`: measures the groups of figures and
 * prints one line a figure, `name value goal pass|fail`. Whole groups are kept in `docs/reference/benchmarks.md`.
 */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Figures } from './figure.ts'
import { line } from './figure.ts'
import { writePage } from './page.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    date: { type: 'string' },
    page: { type: 'boolean', default: true },
  },
})

for (const group of positionals.length > 0 ? positionals : ['local']) {
  const module = new URL(`./${group}.ts`, import.meta.url)
  if (!/^[a-z]+$/u.test(group) || !existsSync(module)) throw new Error(`there is no group ${group}`)
  const { figures } = (await import(module.href)) as { figures: Figures }
  const measured = await figures({
    rounds: Number(values.rounds),
    only: values.only,
    say: text => process.stderr.write(`# ${text}\n`),
  })
  for (const figure of measured) console.log(line(figure))
  // Half a group would make a page of figures of different days.
  if (values.page && values.only === '') writePage(group, measured, values.date ?? null)
}
