import assert from 'node:assert/strict'
import { basename, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { Place, until } from './e2e/kontroler.ts'
import { examples } from './examples.ts'

const all = examples()

test('there are at least fifteen examples', () => assert.ok(all.length >= 15))

describe('examples', { concurrency: 2 }, () => {
  for (const { file, expect, args, approvals } of all) {
    test(basename(file), async t => {
      const place = await Place.make(t)
      const command = place.start(['run', resolve(file), ...args], { cwd: resolve('.') })
      for (const [task, ...form] of approvals) {
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
