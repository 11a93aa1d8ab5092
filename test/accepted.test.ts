import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'
import { loadDocuments } from '../src/spec/load.ts'

/**
 * Each file in `test/accepted/` is right. At its top stands what becomes of it as local processes:
 * `# expect-run: succeeded|failed|none`, `# expect-task: NAME STATE [attempts=N]` and, where a file has several DAGs,
 * `# expect-dag: NAME` for the one that runs. A DagRun in the file is the run; else the DAG runs with its defaults.
 */
const files = globSync('test/accepted/*.{yaml,json}').toSorted()

test('there are at least 25 accepted files', () => assert.ok(files.length >= 25, `${files.length}`))

for (const file of files) {
  test(`accepted: ${basename(file)}`, () => {
    const text = readFileSync(file, 'utf8')
    const loaded = loadDocuments([{ name: file, text }])
    assert.deepEqual(
      loaded.problems.map(({ code, message, at }) => `${at?.line}:${at?.column} ${code} ${message}`),
      [],
    )
    assert.ok(loaded.dags.length + loaded.dagTasks.length > 0, 'something was read')
    const expected = text.match(/expect-run"?: "?(\w+)/)?.[1]
    assert.ok(['succeeded', 'failed', 'none'].includes(expected ?? ''), 'the file says what becomes of it')
    for (const name of text.matchAll(/^# expect-task: ([-\w]+)/gm)) {
      const tasks = loaded.dags.flatMap(({ dag }) => [...dag.tasks, ...dag.finally]).map(task => task.name)
      assert.ok(tasks.includes(name[1] ?? ''), `there is a task ${name[1]}`)
    }
    for (const { dag } of loaded.dags)
      assert.deepEqual(JSON.parse(JSON.stringify(dag)), dag, 'a Dag is plain data')
  })
}
