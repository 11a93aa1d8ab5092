import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Json } from '../core/json.ts'
import { KINDS } from './kinds.ts'
import { type DocumentKind, fitsKind } from './outline.ts'
import { sourceText } from './source.ts'
import { parseYaml } from './yaml.ts'

const FILES = globSync(['test/accepted/*', 'test/broken/*.yaml', 'examples/**/*.yaml']).toSorted()

/** Documents of our kinds, good and bad. */
const documents = FILES.flatMap(file => parseYaml(sourceText(file, readFileSync(file, 'utf8'))).documents)
  .map(({ value }) => value)
  .filter(value => kindOf(value) !== null)

function kindOf(value: Json | undefined): DocumentKind | null {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value['kind'] : null
  return kind === 'DAG' || kind === 'DagRun' || kind === 'DagTask' ? kind : null
}

function agrees(kind: DocumentKind, value: unknown): void {
  const schema = KINDS.find(one => one.kind === kind)?.document
  assert.equal(fitsKind(kind, value), schema?.safeParse(value).success, JSON.stringify(value))
}

test('the outline and the schema agree about every document that the tests and examples hold', () => {
  assert.ok(documents.length > 200)
  for (const value of documents) agrees(kindOf(value) ?? 'DAG', value)
})

test('they agree when any part of a document is replaced, removed or joined by something else', () => {
  const strange = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(-1, 0, 1.5, 2 ** 31, 2 ** 53, '', '1h', 'always', Number.NaN, Number.POSITIVE_INFINITY),
  )
  fc.assert(
    fc.property(
      fc.constantFrom(...documents),
      fc.array(fc.nat(20), { maxLength: 8 }),
      fc.constantFrom('replace', 'remove', 'add', 'rename'),
      strange,
      (document, way, change, value) => {
        const copy = structuredClone(document)
        changed(copy, way, change, value)
        agrees(kindOf(document) ?? 'DAG', copy)
      },
    ),
    { numRuns: 3_000 },
  )
})

/** Changes the place that is reached by going into one child after another. */
function changed(root: Json, way: readonly number[], change: string, value: unknown): void {
  let at: unknown = root
  for (const [depth, step] of way.entries()) {
    if (typeof at !== 'object' || at === null) return
    const inner = at as Record<string, unknown>
    const keys = Object.keys(inner)
    const key = keys[step % Math.max(1, keys.length)]
    if (key === undefined) return
    const next = inner[key]
    if (depth < way.length - 1 && typeof next === 'object' && next !== null) {
      at = next
      continue
    }
    if (change === 'replace') inner[key] = value
    else if (change === 'add') inner[Array.isArray(inner) ? String(keys.length) : `${key}x`] = value
    else if (!Array.isArray(inner)) {
      delete inner[key]
      if (change === 'rename') inner[`${key}s`] = next
    }
    return
  }
}
