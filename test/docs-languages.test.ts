import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseDsl } from '../src/core/dag/dsl.ts'
import { compileExpression, compileTemplate } from '../src/core/expression/cel.ts'
import type { ExpressionScope, ExpressionValues } from '../src/core/expression/expression.ts'
import { FUNCTIONS, METHODS } from '../src/core/expression/functions.ts'

const expressions = readFileSync('docs/reference/expressions.md', 'utf8')
const dsl = readFileSync('docs/reference/dsl.md', 'utf8')

/** The fenced blocks of a language, in the order of the page. */
function blocks(page: string, language: string): readonly string[] {
  return [...page.matchAll(/^```(\S+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => text ?? '')
}

function lines(page: string, language: string): readonly string[] {
  return blocks(page, language).flatMap(block => block.split('\n').filter(line => line.trim() !== ''))
}

const scope: ExpressionScope = {
  parameters: new Map([
    ['count', 'integer'],
    ['ratio', 'number'],
    ['region', 'string'],
    ['debug', 'boolean'],
    ['config', 'json'],
  ]),
  tasks: new Map([
    ['list-files', ['names', 'sizes', 'total-size']],
    ['build', []],
  ]),
  item: false,
  event: false,
  attempt: true,
}

const values: ExpressionValues = {
  parameters: { count: 3, ratio: 1.5, region: 'eu-west-1', debug: true, config: { owner: { name: 'ann' } } },
  tasks: {
    'list-files': {
      state: 'succeeded',
      exitCode: 0,
      outputs: { names: 'a b', sizes: '[700, 500]', 'total-size': '1200' },
    },
    build: { state: 'failed', exitCode: 1, outputs: {} },
  },
  run: { id: 'r1', name: 'r1', dag: 'd', scheduledTime: '2026-03-29T01:00:00Z' },
  attempt: 1,
}

/** JSON of the value, `error CODE` when it does not compile, `fails` when it has no value. */
function outcome(text: string): string {
  const compiled = compileExpression(text, scope, 'any')
  if (!compiled.ok) return `error ${compiled.problems[0]?.code}`
  try {
    return JSON.stringify(compiled.value.evaluate(values))
  } catch {
    return 'fails'
  }
}

test('expressions: every example gives what the page says', () => {
  const examples = lines(expressions, 'cel')
  assert.ok(examples.length > 40)
  for (const line of examples) {
    const at = line.lastIndexOf(' // ')
    const said = line.slice(at + 4).trim()
    const wanted = /^(error|fails)/.test(said) ? said : JSON.stringify(JSON.parse(said))
    assert.equal(outcome(line.slice(0, at).trim()), wanted, line)
  }
})

test('expressions: every template renders to what the page says', () => {
  const examples = lines(expressions, 'template')
  assert.ok(examples.length > 3)
  for (const line of examples) {
    const [text = '', wanted = ''] = line.split(/\s+=> /)
    const compiled = compileTemplate(text, scope)
    assert.equal(compiled.ok ? compiled.value.render(values) : `error ${compiled.problems[0]?.code}`, wanted)
  }
})

test('expressions: the page names every function and method', () => {
  for (const name of [...FUNCTIONS, ...METHODS]) {
    assert.match(expressions, new RegExp(`\\b${name}\\b`), name)
  }
})

test('arrow language: every example parses', () => {
  const examples = blocks(dsl, 'dsl')
  assert.ok(examples.length > 2)
  for (const example of examples) {
    const result = parseDsl(example)
    assert.ok(result.ok && result.warnings.length === 0, JSON.stringify(result))
  }
})

test('arrow language: the mistakes are reported as the page shows', () => {
  const result = parseDsl(blocks(dsl, 'dsl-errors')[0] ?? '')
  assert.ok(!result.ok)
  const shown = result.problems.map(({ at, code, message }) => `${at?.line}:${at?.column} ${code} ${message}`)
  assert.deepEqual(shown, blocks(dsl, 'text')[0]?.trim().split('\n'))
})
