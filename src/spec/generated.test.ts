import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'
import { load as parseYaml } from 'js-yaml'
import { generatedFiles } from './generated.ts'
import { KINDS } from './kinds.ts'
import { editorSchema, type JsonSchema } from './json-schema.ts'
import { crd } from './crd.ts'
import { loadDocuments } from './load.ts'

for (const [path, text] of generatedFiles()) {
  test(`${path} is what the schema gives`, () =>
    assert.equal(readFileSync(path, 'utf8'), text, 'run npm run generate'))
}

/** The schema of a kind as it stands in its committed CRD. */
const schemas = new Map(
  KINDS.map(kind => {
    const document = parseYaml(readFileSync(`deploy/crds/${kind.plural}.yaml`, 'utf8')) as ReturnType<
      typeof crd
    >
    const { versions } = document['spec'] as { versions: { schema: { openAPIV3Schema: JsonSchema } }[] }
    return [kind.kind, versions[0]?.schema.openAPIV3Schema ?? {}] as const
  }),
)

test('CRDs have short names, a category, columns and a status of their own', () => {
  for (const kind of KINDS) {
    const { spec, metadata } = crd(kind) as {
      metadata: { name: string }
      spec: { names: JsonSchema; versions: JsonSchema[] }
    }
    assert.equal(metadata.name, `${kind.plural}.kontroler.greedykomodo`)
    assert.deepEqual(spec.names['categories'], ['kontroler'])
    assert.deepEqual(spec.versions[0]?.['subresources'], { status: {} })
  }
  assert.deepEqual(
    KINDS.map(({ shortName }) => shortName),
    ['dag', 'dr', 'dt'],
  )
})

// The rules of structural schemas, written down here from the Kubernetes documentation and not from the converter.
const ALLOWED = new Set([
  'type',
  'description',
  'properties',
  'additionalProperties',
  'items',
  'required',
  'enum',
  'format',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-int-or-string',
  'x-kubernetes-validations',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
])
const TYPES = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean'])

function violations(schema: JsonSchema, path: string): string[] {
  const found = Object.keys(schema)
    .filter(key => !ALLOWED.has(key))
    .map(key => `${path}: ${key}`)
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true
  const either = schema['x-kubernetes-int-or-string'] === true
  const type = schema['type'] as string | undefined
  if (type === undefined ? !open && !either : !TYPES.has(type) || either) found.push(`${path}: type`)
  if (schema['properties'] !== undefined && schema['additionalProperties'] !== undefined)
    found.push(`${path}: properties beside additionalProperties`)
  if ((schema['items'] !== undefined) !== (type === 'array')) found.push(`${path}: items`)
  if ((schema['properties'] ?? schema['additionalProperties']) !== undefined && type !== 'object')
    found.push(`${path}: properties without type object`)
  if (type === 'integer' && schema['format'] !== 'int64') found.push(`${path}: format`)
  const properties = (schema['properties'] ?? {}) as Record<string, JsonSchema>
  for (const name of (schema['required'] ?? []) as string[])
    if (!(name in properties)) found.push(`${path}: requires ${name}`)
  for (const [name, property] of Object.entries(properties))
    found.push(...violations(property, `${path}.${name}`))
  for (const key of ['items', 'additionalProperties'])
    if (schema[key] !== undefined) found.push(...violations(schema[key] as JsonSchema, `${path}[]`))
  return found
}

for (const [kind, schema] of schemas) {
  test(`the CRD of ${kind} is structural`, () => assert.deepEqual(violations(schema, kind), []))
}

test('the checker of structural rules bites', () => {
  const bad: JsonSchema[] = [
    {},
    { type: ['string', 'null'] },
    { anyOf: [] },
    { type: 'array' },
    { type: 'object', properties: { a: {} } },
    { type: 'object', properties: {}, additionalProperties: { type: 'string' } },
    { type: 'object', additionalProperties: false },
    { type: 'integer' },
    { type: 'object', required: ['a'], properties: {} },
  ]
  for (const schema of bad) assert.notDeepEqual(violations(schema, ''), [], JSON.stringify(schema))
})

/** What an API server would say of a value, and which fields it would drop. */
function refusals(value: unknown, schema: JsonSchema, path: string): string[] {
  if (schema['x-kubernetes-int-or-string'] === true)
    return typeof value === 'string' || Number.isInteger(value) || typeof value === 'number'
      ? []
      : [`${path}: int or string`]
  const type = schema['type'] as string | undefined
  if (type === undefined) return []
  const actual = Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value
  if (type !== actual && !(type === 'number' && actual === 'integer'))
    return [`${path}: ${actual} for ${type}`]
  const found: string[] = []
  const allowed = schema['enum'] as unknown[] | undefined
  if (allowed !== undefined && !allowed.includes(value)) found.push(`${path}: enum`)
  const pattern = schema['pattern'] as string | undefined
  if (pattern !== undefined && !new RegExp(pattern).test(String(value))) found.push(`${path}: pattern`)
  if (Array.isArray(value))
    return value.flatMap((item, at) => refusals(item, schema['items'] as JsonSchema, `${path}[${at}]`))
  if (typeof value !== 'object' || value === null) return found
  for (const name of (schema['required'] ?? []) as string[])
    if (!(name in value)) found.push(`${path}: needs ${name}`)
  const properties = (schema['properties'] ?? {}) as Record<string, JsonSchema>
  for (const [name, item] of Object.entries(value)) {
    const inner = properties[name] ?? (schema['additionalProperties'] as JsonSchema | undefined)
    if (item === null) continue // the API server drops it
    if (inner !== undefined) found.push(...refusals(item, inner, `${path}.${name}`))
    else if (schema['x-kubernetes-preserve-unknown-fields'] !== true) found.push(`${path}: drops ${name}`)
  }
  return found
}

for (const file of globSync('test/accepted/*').toSorted()) {
  test(`the CRDs take ${basename(file)} and drop nothing of it`, () => {
    const loaded = loadDocuments([{ name: file, text: readFileSync(file, 'utf8') }])
    assert.deepEqual(loaded.problems, [], 'nothing is wrong with it')
    for (const [kind, documents] of [
      ['DAG', loaded.dags],
      ['DagRun', loaded.dagRuns],
      ['DagTask', loaded.dagTasks],
    ] as const) {
      const schema = schemas.get(kind) ?? {}
      for (const { document } of documents) {
        const { spec } = document as { spec: unknown }
        assert.deepEqual(
          refusals(spec, (schema['properties'] as Record<string, JsonSchema>)['spec'] ?? {}, 'spec'),
          [],
        )
      }
    }
  })
}

test('every field has a description', () => {
  const bare: string[] = []
  const walk = (schema: JsonSchema, path: string): void => {
    for (const [name, property] of Object.entries(
      (schema['properties'] ?? {}) as Record<string, JsonSchema>,
    )) {
      if (typeof property['description'] !== 'string') bare.push(`${path}.${name}`)
      walk(property, `${path}.${name}`)
    }
    for (const option of (schema['anyOf'] ?? []) as JsonSchema[]) walk(option, path)
    if (schema['items'] !== undefined) walk(schema['items'] as JsonSchema, `${path}[]`)
  }
  for (const kind of KINDS) walk(editorSchema(kind), kind.kind)
  assert.deepEqual(bare, [])
})

test('schemas for editors are self-contained', () => {
  for (const kind of KINDS) assert.doesNotMatch(JSON.stringify(editorSchema(kind)), /\$ref|x-kubernetes/)
})
