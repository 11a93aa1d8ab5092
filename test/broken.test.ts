import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'
import { PROBLEM_CODES } from '../src/core/problem-codes.ts'
import { loadDocuments } from '../src/spec/load.ts'

/**
 * Each file in `test/broken/` is a small text with something wrong in it, and says at its top what is to be told and
 * where: `# expect: CODE line:column`, one line for each problem, warnings included, and nothing else may be told.
 */
const files = globSync('test/broken/*.{yaml,json}').toSorted()

test('there are at least 150 broken files', () => assert.ok(files.length >= 150, `${files.length}`))

for (const file of files) {
  test(`broken: ${basename(file)}`, () => {
    const text = readFileSync(file, 'utf8')
    const expected = [...text.matchAll(/^# expect: (\S+) (\d+:\d+)$/gm)].map(
      match => `${match[1]} ${match[2]}`,
    )
    const { problems } = loadDocuments([{ name: file, text }])
    const told = problems.map(({ code, at }) => `${code} ${at?.line}:${at?.column}`)
    assert.deepEqual(told.toSorted(), expected.toSorted(), problems.map(({ message }) => message).join('\n'))
    assert.notEqual(expected.length, 0, 'the file says nothing of what is expected')
    for (const { code, message, fix } of problems) {
      assert.ok(code in PROBLEM_CODES, `${code} is not in the table of codes`)
      assert.match(message, /^\S.*[^.\s]$/s, 'a message is one sentence without a full stop')
      assert.match(fix, /\S/, 'a problem says what to do')
    }
  })
}

test('a slip of the finger is answered with the name that was meant, as the fix', () => {
  const fixes = (file: string): readonly string[] =>
    loadDocuments([{ name: file, text: readFileSync(`test/broken/${file}`, 'utf8') }]).problems.map(
      ({ message, fix }) => `${message}: ${fix}`,
    )
  assert.deepEqual(fixes('time-zone-misspelt.yaml'), [
    'there is no time zone "Europe/Berlni": did you mean Europe/Berlin?',
  ])
})
