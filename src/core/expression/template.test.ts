import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileTemplate, hasTemplate, TEMPLATE_EXPRESSIONS_MAX } from './cel.ts'
import { ExpressionError, type ExpressionScope, type ExpressionValues } from './expression.ts'

const scope: ExpressionScope = {
  parameters: new Map([['bucket', 'string']]),
  tasks: new Map([['list-files', ['names']]]),
  item: true,
  event: false,
  attempt: true,
}

const values: ExpressionValues = {
  parameters: { bucket: 'raw' },
  tasks: { 'list-files': { state: 'succeeded', exitCode: 0, outputs: { names: 'a b' } } },
  run: { id: 'r1', name: 'n', dag: 'd', scheduledTime: '' },
  attempt: 1,
  item: { k: [1, 'x'] },
  index: 0,
}

function rendered(text: string): string {
  const compiled = compileTemplate(text, scope)
  assert.ok(compiled.ok, JSON.stringify(compiled))
  return compiled.value.render(values)
}

function places(text: string): readonly (readonly [string, number])[] {
  const compiled = compileTemplate(text, scope)
  assert.ok(!compiled.ok, `${text} is accepted`)
  return compiled.problems.map(({ code, offset }) => [code, offset] as const)
}

test('texts are put in as they are, other values as JSON', () => {
  for (const [text, wanted] of [
    ['plain', 'plain'],
    ['', ''],
    ['s3://${{ parameters.bucket }}/${{run.id}}.csv', 's3://raw/r1.csv'],
    ['${{ tasks.list-files.outputs.names }}', 'a b'],
    ['${{ item }}', '{"k":[1,"x"]}'],
    ['${{ attempt }}${{ 1.5 }}${{ true }}${{ null }}', '11.5truenull'],
    ['${{ [1, "a"] }}', '[1,"a"]'],
  ] as const) {
    assert.equal(rendered(text), wanted)
  }
})

test('only }} outside strings and braces ends an expression', () => {
  assert.equal(rendered('${{ {"a": {"b": 1}} }}!'), '{"a":{"b":1}}!')
  assert.equal(rendered('${{ "}}" }}!'), '}}!')
  assert.equal(rendered("${{ '}}' + r'\\d' }}!"), '}}\\d!')
  assert.equal(rendered('${{ 1 }}}}'), '1}}')
  assert.equal(rendered('${{ 1 // a comment }}!'), '1!')
  assert.equal(rendered('${{ "http://x" }}'), 'http://x')
  assert.equal(rendered('a }} b'), 'a }} b')
})

test('$${{ is a literal ${{', () => {
  assert.equal(rendered('$${{ x }} ${{ 1 }}'), '${{ x }} 1')
  assert.equal(rendered('$$${{ 1 }}'), '$${{ 1 }}')
  assert.equal(rendered('costs $5 ${ x } $ {{'), 'costs $5 ${ x } $ {{')
})

test('hasTemplate says whether there is anything to compute', () => {
  assert.equal(hasTemplate('plain $ {{ }}'), false)
  assert.equal(hasTemplate('$${{ x }}'), false)
  assert.equal(hasTemplate('a ${{ x }}'), true)
  assert.equal(hasTemplate('${{'), true)
  assert.equal(hasTemplate('$${{ a }} ${{ b }}'), true)
})

test('every problem is reported at its place in the whole text', () => {
  assert.deepEqual(places('ab ${{ parameters.x }} ${{ 1 + }} ${{ run.id'), [
    ['CEL_UNKNOWN_NAME', 18],
    ['CEL_SYNTAX', 31],
    ['TEMPLATE_UNTERMINATED', 34],
  ])
  assert.deepEqual(places('${{}}'), [['CEL_SYNTAX', 3]])
  assert.deepEqual(places('${{ "a }}'), [['CEL_SYNTAX', 4]])
  assert.deepEqual(places('${{ {"a": 1 }}')[0]?.[0], 'CEL_SYNTAX')
  assert.deepEqual(places('${{ 1 }}'.repeat(TEMPLATE_EXPRESSIONS_MAX + 1)), [['CEL_TOO_COMPLEX', 0]])
})

test('references are those of all expressions, each once', () => {
  const compiled = compileTemplate(
    '${{ parameters.bucket }}${{ tasks.list-files.state + parameters.bucket }}',
    scope,
  )
  assert.ok(compiled.ok)
  assert.deepEqual(compiled.value.references, { parameters: ['bucket'], tasks: ['list-files'] })
})

test('an expression that fails makes the whole template fail', () => {
  const compiled = compileTemplate('a ${{ item.none }}', scope)
  assert.ok(compiled.ok)
  assert.throws(() => compiled.value.render(values), ExpressionError)
})

test('any text compiles to something or to problems inside it; without ${{ it is itself', () => {
  const pieces = ['${{', '}}', '$', '{', '}', '"', "'", '//', ' ', '\n', '1', 'run.id', 'é', '😀', '\\']
  const text = fc.array(fc.constantFrom(...pieces), { maxLength: 15 }).map(parts => parts.join(''))
  fc.assert(
    fc.property(text, written => {
      const compiled = compileTemplate(written, scope)
      if (!compiled.ok) {
        for (const { offset } of compiled.problems) assert.ok(offset >= 0 && offset <= written.length)
        return
      }
      if (!written.includes('${{')) assert.equal(compiled.value.render(values), written)
    }),
    { numRuns: 3_000 },
  )
})
