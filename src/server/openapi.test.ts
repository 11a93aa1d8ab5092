import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApiOf } from './openapi.ts'
import { ROUTES } from './routes.ts'

const document = JSON.parse(JSON.stringify(openApiOf(ROUTES))) as {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, unknown>; responses: Record<string, unknown> }
}
interface Operation {
  operationId: string
  'x-access': string
  parameters?: { name: string; in: string; required: boolean; schema: object }[]
  requestBody?: object
  responses: Record<string, { $ref?: string; description?: string }>
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

test('every route is an operation, and says who may use it', () => {
  assert.equal(operations.length, ROUTES.length)
  for (const { operation } of operations)
    assert.match(
      operation['x-access'],
      /^(?:public|signed|entrance|known|self|view|edit|admin)$/,
      operation.operationId,
    )
})

test('every reference leads somewhere, and every named schema is used', () => {
  const text = JSON.stringify(document)
  const used = new Set([...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name))
  const named = new Set(Object.keys(document.components.schemas))
  assert.deepEqual(
    [...used].filter(name => !named.has(name ?? '')),
    [],
  )
  // The stream of events has no schema of its own in OpenAPI 3.1; its messages are named for clients.
  assert.deepEqual(
    [...named].filter(name => !used.has(name)),
    ['Change'],
  )
  assert.doesNotMatch(text, /\$defs/)
})

test('each part of a path is a parameter of it, and no parameter is of no type', () => {
  for (const { path, operation } of operations) {
    const parts = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const declared = (operation.parameters ?? []).filter(one => one.in === 'path').map(({ name }) => name)
    assert.deepEqual(new Set(declared), new Set(parts), path)
    for (const { name, schema } of operation.parameters ?? [])
      assert.ok(
        'type' in schema || 'enum' in schema,
        `${operation.operationId} ${name}: ${JSON.stringify(schema)}`,
      )
  }
})

test('every operation has answers, and what goes wrong has one form', () => {
  for (const { operation } of operations) {
    const { default: problem, ...answers } = operation.responses
    assert.equal(problem?.$ref, '#/components/responses/Problem')
    assert.ok(Object.values(answers).every(({ description = '' }) => description !== ''))
    assert.ok(Object.keys(answers).length > 0)
  }
})
