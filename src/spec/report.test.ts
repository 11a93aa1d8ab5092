import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Problem } from '../core/problem.ts'
import { problemsAsJson, problemsAsSarif, problemsAsText } from './report.ts'

const problem = (at?: Problem['at']): Problem => ({
  code: 'FIELD_UNKNOWN',
  severity: 'error',
  path: ['spec', 'foo'],
  message: 'spec has no field foo',
  fix: 'remove it',
  ...(at === undefined ? {} : { at }),
})
const show = (text: string, line: number, column: number): string =>
  problemsAsText([problem({ file: 'f.yaml', line, column })], { inputs: [{ name: 'f.yaml', text }] })

test('text: place, severity, code, message, the line with a caret, and what to do', () => {
  assert.equal(
    show('spec:\n  foo: 1\n', 2, 3),
    'f.yaml:2:3: error FIELD_UNKNOWN: spec has no field foo\n  2 |   foo: 1\n    |   ^\n  fix: remove it\n',
  )
})

test('text: a problem without a place, or without its text, has no excerpt', () => {
  assert.equal(problemsAsText([problem()]), 'error FIELD_UNKNOWN: spec has no field foo\n  fix: remove it\n')
  assert.doesNotMatch(problemsAsText([problem({ file: 'g', line: 1, column: 1 })]), /\|/)
})

test('text: tabs keep the caret in place, and control characters never reach the terminal', () => {
  assert.match(show('\tfoo: 1\n', 1, 2), /1 \| \tfoo: 1\n {4}\| \t\^\n/)
  assert.doesNotMatch(show('a: \u001b[31mred\r\n', 1, 1).replaceAll('\n', ''), /\p{Cc}/u)
})

test('text: of a long line only the piece around the place is shown', () => {
  const report = show(`${'a'.repeat(100_000)}b${'c'.repeat(100_000)}`, 1, 100_001)
  assert.ok(report.length < 500)
  const [, excerpt, caret] = report.split('\n')
  assert.equal(excerpt?.[caret?.indexOf('^') ?? -1], 'b')
})

test('text: no line of a Secret is ever shown', () => {
  const secret = 'apiVersion: v1\nkind: Secret\nstringData:\n  password: hunter2\n'
  assert.doesNotMatch(show(secret, 4, 3), /hunter2/)
  assert.doesNotMatch(show(`a: 1\n---\n${secret}---\nb: 2\n`, 6, 3), /hunter2/)
  assert.doesNotMatch(show('{"items": [{"kind": "Secret",\n"data": {"x": "hunter2"}}]}', 2, 1), /hunter2/)
  assert.match(show(`a: 1\n---\n${secret}---\nb: 2\n`, 8, 1), /b: 2/)
})

test('text: colours are the caller’s', () => {
  const report = problemsAsText([problem()], { paint: (style, text) => `<${style}>${text}</>` })
  assert.match(report, /^<error>error FIELD_UNKNOWN<\/>: /)
})

test('JSON: the problems as they are', () => {
  const problems = [problem({ file: 'f', line: 1, column: 2 })]
  assert.deepEqual(JSON.parse(problemsAsJson(problems)), { problems })
})

test('SARIF 2.1.0: a rule for each code, a result for each problem', () => {
  const log = JSON.parse(
    problemsAsSarif(
      [problem({ file: 'a b/f.yaml', line: 3, column: 5 }), { ...problem(), severity: 'warning' }],
      '1.2.3',
    ),
  )
  assert.equal(log.version, '2.1.0')
  const [run] = log.runs
  assert.deepEqual(
    [run.tool.driver.name, run.tool.driver.version, run.tool.driver.rules.length],
    ['kontroler', '1.2.3', 1],
  )
  assert.equal(run.tool.driver.rules[0].shortDescription.text, 'a field does not exist at this place')
  assert.deepEqual(run.results[0].locations[0].physicalLocation, {
    artifactLocation: { uri: 'a%20b/f.yaml' },
    region: { startLine: 3, startColumn: 5 },
  })
  assert.deepEqual(
    run.results.map(({ level, ruleIndex }: { level: string; ruleIndex: number }) => [level, ruleIndex]),
    [
      ['error', 0],
      ['warning', 0],
    ],
  )
})
