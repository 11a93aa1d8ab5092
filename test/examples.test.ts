import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { Place, until } from './e2e/kontroler.ts'

/**
 * Every example runs as its comments say: `# expect: succeeded|failed`, `# with: …` extra arguments of the command,
 * `# approve: TASK …` an answer from another terminal while it waits.
 */
const files = globSync('examples/*.yaml').toSorted()

test('there are at least fifteen examples', () => assert.ok(files.length >= 15))

describe('examples', { concurrency: 2 }, () => {
  for (const file of files) {
    test(basename(file), async t => {
      const place = await Place.make(t)
      const says = commentsOf(file)
      const expect = says('expect')[0]
      assert.ok(expect === 'succeeded' || expect === 'failed', `${file} says "# expect: succeeded|failed"`)
      const more = says('with').flatMap(words)
      const command = place.start(['run', resolve(file), ...more], { cwd: resolve('.') })
      for (const [task, ...form] of says('approve').map(words)) {
        await command.says(`kontroler approve`)
        const answered = await place.run(['approve', '@last', task ?? '', ...form])
        assert.equal(answered.code, 0, answered.output)
      }
      const { code, output } = await command.over
      assert.equal(code, expect === 'succeeded' ? 0 : 1, output)
      const run = (await place.runs()).find(({ parentRun }) => parentRun === null)
      assert.equal(run?.phase, expect)
      assert.deepEqual(await until('its processes end', () => noneOf(place.tasks())), [])
    })
  }
})

const noneOf = (pids: readonly number[]): readonly number[] | null => (pids.length === 0 ? pids : null)

const words = (text: string): readonly string[] => text.split(/\s+/)

function commentsOf(file: string): (name: string) => readonly string[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return name =>
    lines.filter(line => line.startsWith(`# ${name}: `)).map(line => line.slice(name.length + 4).trim())
}
