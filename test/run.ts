/**
 * Runs every test file with node:test and ends with one plain line: `N passed, N failed`.
 * `node test/run.ts [text …]` runs only the files whose path holds one of the texts; with `--cluster`, the tests that
 * need a Kubernetes (and only those), which they start themselves.
 */
import { globSync } from 'node:fs'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

// Tests that are about containers start engines of their own; nothing else may meet one of this machine.
process.env['KONTROLER_EXECUTOR'] = 'process'

const CLUSTER = 'test/cluster/'
const cluster = process.argv.includes('--cluster')
const wanted = process.argv.slice(2).filter(text => text !== '--cluster')
const files = ['src/**/*.test.ts', 'test/**/*.test.ts']
  .flatMap(pattern => globSync(pattern))
  .filter(file => file.startsWith(CLUSTER) === cluster)
  .filter(file => wanted.length === 0 || wanted.some(text => file.includes(text)))
  .toSorted()

if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`)
  process.exit(1)
}

const count = { passed: 0, failed: 0, skipped: 0 }
const many = process.env['KONTROLER_KILLS'] !== undefined
// They share one node, on which whole suites of pods are enough for two cores.
const events = run({
  files,
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
events.compose(spec).pipe(process.stdout)
events.on('end', () => {
  process.stdout.write(
    `\n${count.passed} passed, ${count.failed} failed${count.skipped > 0 ? `, ${count.skipped} skipped` : ''}\n`,
  )
  if (count.passed === 0) process.exitCode = 1
})
