/**
 * Runs every test file with node:test and ends with one plain line: `N passed, N failed`.
 * `node test/run.ts [text …]` runs only the files whose path holds one of the texts; with `--cluster`, the tests that
 * need a Kubernetes (and only those), which they start themselves, or use the one that KUBECONFIG names; with `--all`,
 * those without and then those with, and the line is of both.
 */
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { GIVEN } from './cluster/given.ts'
import { allPrograms } from './cluster/programs.ts'

// Tests that are about containers start engines of their own; nothing else may meet one of this machine.
process.env['KONTROLER_EXECUTOR'] = 'process'

const CLUSTER = 'test/cluster/'
/** What starts a cluster as it needs it, to stop and change it at will. */
const STARTS_ONE = /\b(?:startCluster|startPlace|NEEDS_OWN)\b/
const args = process.argv.slice(2)
const wanted = args.filter(text => text !== '--cluster' && text !== '--all')
const count = { passed: 0, failed: 0, skipped: 0 }

if (args.includes('--all')) {
  await suite(filesOf(false), false)
  await suite(filesOf(true), true)
} else await suite(filesOf(args.includes('--cluster')), args.includes('--cluster'))
process.stdout.write(
  `\n${count.passed} passed, ${count.failed} failed${count.skipped > 0 ? `, ${count.skipped} skipped` : ''}\n`,
)
if (count.passed === 0) process.exitCode = 1

function filesOf(cluster: boolean): readonly string[] {
  const files = ['src/**/*.test.ts', 'test/**/*.test.ts']
    .flatMap(pattern => globSync(pattern))
    .filter(file => file.startsWith(CLUSTER) === cluster)
    .filter(file => wanted.length === 0 || wanted.some(text => file.includes(text)))
    .toSorted()
  if (files.length === 0) {
    console.error(`no test file matches ${wanted.join(' ')}`)
    process.exit(1)
  }
  if (!cluster || GIVEN === null) return files
  const own = files.filter(file => STARTS_ONE.test(readFileSync(file, 'utf8')))
  console.log(
    `the cluster of ${GIVEN} is used; not run, because they need one of their own: ${own.join(', ')}`,
  )
  return files.filter(file => !own.includes(file))
}

async function suite(files: readonly string[], cluster: boolean): Promise<void> {
  if (cluster && GIVEN === null) await allPrograms(console.log)
  const many = process.env['KONTROLER_KILLS'] !== undefined
  // Those of a cluster share one node, on which whole suites of pods are enough for two cores.
  const events = run({
    files: [...files],
    concurrency: cluster ? 1 : 2,
    timeout: many ? 3_600_000 : cluster ? 1_200_000 : 300_000,
  })
  events.on('test:pass', event => {
    if (event.details.type === 'suite') return
    if (event.skip !== undefined) count.skipped += 1
    else count.passed += 1
  })
  events.on('test:fail', event => {
    if (event.details.type !== 'suite') count.failed += 1
    process.exitCode = 1
  })
  const shown = events.compose(spec)
  shown.pipe(process.stdout, { end: false })
  await once(shown, 'end')
}
