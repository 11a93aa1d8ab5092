import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release } from 'node:os'
import { DatabaseSync } from 'node:sqlite'
import type { Figure } from './figure.ts'
import { short, table } from './figure.ts'

const PAGE = 'docs/reference/benchmarks.md'

const HEAD = `# Benchmarks

What \`npm run bench -- local\` (or \`containers\`, \`store\`, \`cluster\`) measured, as it printed it. Only ratios count: everything that is compared ran in turn
in the same minutes, ≥ 5 rounds, the median is told with the smallest and largest of the rounds, and round 0 is thrown
away. A round is *noisy* when the floor moved more than 15 % from its beginning to its end, three times in a row.
`

/** Puts a group's figures in the place of its older ones on the committed page; what stands behind them is kept. */
export function writePage(group: string, figures: readonly Figure[], date: string | null): void {
  const before = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : HEAD
  const [start, end] = [`<!-- ${group}: measured -->`, `<!-- ${group}: end -->`]
  const section = `${start}\n\n${machine(date)}\n\n${table(figures)}\n\n${end}`
  const from = before.indexOf(start)
  const to = before.indexOf(end)
  const after =
    from === -1 || to === -1
      ? `${before}\n## ${group}\n\n${section}\n`
      : `${before.slice(0, from)}${section}${before.slice(to + end.length)}`
  writeFileSync(PAGE, after)
}

/** Which machine and versions, and the day: the one given, or that of the last commit. */
function machine(date: string | null): string {
  const git = (...args: string[]): string => spawnSync('git', args, { encoding: 'utf8' }).stdout.trim()
  const day = date ?? git('log', '-1', '--format=%cs')
  const sqlite = new DatabaseSync(':memory:').prepare('select sqlite_version() as version').get()
  return [
    `${day}, commit ${git('log', '-1', '--format=%h')}`,
    `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown processor'}, Linux ${release()}`,
    `Node ${process.version}, SQLite ${String(sqlite?.['version'])}`,
    `load average ${loadavg().map(short).join(' ')}`,
  ].join(' · ')
}
