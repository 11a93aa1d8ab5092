import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchRefused } from './refused-namespaces.ts'

test('namespaces that are refused are told, and asked again until one lets us in', async () => {
  const due: (() => void)[] = []
  const clock = {
    after: (_: number, call: () => void) => {
      due.push(call)
      return () => void due.splice(due.indexOf(call), 1)
    },
  }
  const open = new Set<string>()
  const opened: string[] = []
  const asked: string[] = []
  const refused = watchRefused({
    refused: ['a', 'b'],
    clock,
    ask: async namespace => {
      asked.push(namespace)
      if (!open.has(namespace)) throw new Error('forbidden')
    },
    opened: namespace => opened.push(namespace),
  })
  assert.match((await refused.check.look()) ?? '', /want of rights: a, b$/)
  const round = async (): Promise<void> => {
    const before = asked.length
    due.shift()?.()
    while (asked.length === before || (due.length === 0 && opened.length === 0)) await Promise.resolve()
  }
  await round()
  assert.deepEqual(asked, ['a', 'b'])
  assert.deepEqual(opened, [])
  open.add('b')
  await round()
  assert.deepEqual(opened, ['b'])
  assert.equal(due.length, 0, 'whoever is told starts anew')
  await refused.close()
})

test('where nothing is refused nobody is asked, and all is well', async () => {
  const never = (): never => assert.fail('asked')
  const refused = watchRefused({
    refused: [],
    clock: { after: never },
    ask: never,
    opened: never,
  })
  assert.equal(await refused.check.look(), null)
  await refused.close()
})
