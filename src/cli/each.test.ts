import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEachNamed } from './each.ts'
import { CommandError } from './exit.ts'

const ended = (name: string): CommandError => new CommandError('RUN_FINISHED', `run ${name} has ended`, '', 1)

test('a run that has ended keeps nothing from those behind it, and the command fails in the end', async () => {
  const { done, tellRefused } = await forEachNamed(['a', 'b', 'c'], async name => {
    if (name === 'b') throw ended(name)
    return name
  })
  assert.deepEqual(done, ['a', 'c'])
  assert.throws(tellRefused, { code: 'RUN_FINISHED', exitCode: 1 })
})

test('where all went well nothing is told; trouble that is not of one run ends it at once', async () => {
  const { tellRefused } = await forEachNamed(['a'], async name => name)
  tellRefused()
  const asked: string[] = []
  const away = async (name: string): Promise<never> => {
    asked.push(name)
    throw new Error('away')
  }
  await assert.rejects(forEachNamed(['a', 'b'], away), /away/)
  assert.deepEqual(asked, ['a'])
})
