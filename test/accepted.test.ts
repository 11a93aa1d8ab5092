import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { loadDocuments } from '../src/spec/load.ts'
import { openSqliteStore } from '../src/stores/sqlite/open.ts'

/**
 * Manifests that must be accepted and end as they say: deterministic twins of what users of the Kontroler project
 * have. Each begins with `# expect-run: succeeded|failed|none` and lines `# expect-task: NAME STATE [attempts=N]`.
 */
const run = promisify(execFile)
const scratch = mkdtempSync(join(tmpdir(), 'kontroler-accepted-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

describe('accepted manifests end as they say', { concurrency: 2 }, () => {
  for (const file of globSync('test/accepted/*.yaml').toSorted()) {
    const text = readFileSync(file, 'utf8')
    const expected = /^# expect-run: (\w+)/m.exec(text)?.[1]
    if (expected === 'none') continue
    test(basename(file, '.yaml'), async () => {
      const stateDir = join(scratch, basename(file, '.yaml'))
      const which = chosenDag(file, text)
      const given = [
        'run',
        file,
        '-o',
        'none',
        '--state',
        stateDir,
        ...(which === null ? [] : ['--dag', which]),
      ]
      const exit = await run(process.execPath, ['bin/kontroler.js', ...given]).then(
        () => 0,
        (error: { code: number; stderr: string }) => {
          if (error.code === 2) assert.fail(error.stderr)
          return error.code
        },
      )
      assert.equal(exit, expected === 'succeeded' ? 0 : 1)
      await compare(stateDir, text, expected ?? '')
    })
  }
})

/** Files with several DAGs are run by their first one. */
function chosenDag(file: string, text: string): string | null {
  const { dags, dagRuns } = loadDocuments([{ name: file, text }])
  if (dagRuns.length === 1 || dags.length === 1) return dagRuns[0]?.dagName ?? null
  return dagRuns[0]?.dagName ?? dags[0]?.dag.name ?? null
}

async function compare(stateDir: string, text: string, expected: string): Promise<void> {
  const store = await openSqliteStore(join(stateDir, 'kontroler.db'))
  try {
    const [last] = (await store.runs({ limit: 1 })).items
    assert.ok(last !== undefined)
    assert.equal(last.phase, expected, last.message)
    const tasks = (await store.tasks({ run: last.id })).items
    for (const [, name, state, , attempts] of text.matchAll(
      /^# expect-task: (\S+) (\w+)( attempts=(\d+))?$/gm,
    )) {
      const task = tasks.find(row => row.task === name)
      assert.equal(task?.state, state, `${name}: ${task?.message ?? ''}`)
      if (attempts !== undefined) assert.equal(task?.attempts, Number(attempts), `attempts of ${name}`)
    }
  } finally {
    await store.close()
  }
}
