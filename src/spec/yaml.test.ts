import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { dump } from 'js-yaml'
import { parse as parseWithYaml } from 'yaml'
import { DEPTH_MAX, NODES_MAX } from './limits.ts'
import { markAt, positionAt, sourceText, type Path } from './source.ts'
import { parseYaml } from './yaml.ts'

const read = (text: string): ReturnType<typeof parseYaml> => parseYaml(sourceText('f.yaml', text))
const codes = (text: string): string[] => read(text).problems.map(({ code }) => code)
const value = (text: string): unknown => read(text).documents[0]?.value

test('plain words are YAML 1.2: null, true, numbers, else text', () => {
  assert.deepEqual(
    value('[null, ~, true, False, 1, 0x10, 1.5, 1e3, "1", \'true\', 2026-01-01, 1:30, 08, word]'),
    [null, null, true, false, 1, 16, 1.5, 1000, '1', 'true', '2026-01-01', '1:30', 8, 'word'],
  )
})

test('blocks, quotes and empty values are read', () => {
  assert.deepEqual(value('a: |\n  x\n   y\nb: >-\n  x\n  y\nc: "q\\n"\nd:\n'), {
    a: 'x\n y\n',
    b: 'x y',
    c: 'q\n',
    d: null,
  })
})

test('JSON is YAML, tabs, escapes and all', () => {
  const data = { a: [1, 'x', { b: null }], 'c"': 'é😀\n\t' }
  assert.deepEqual(value(JSON.stringify(data, null, '\t')), data)
  assert.deepEqual(value('{"a": "\\/\\ud83d\\ude00"}'), { a: '/😀' })
})

test('what is written is read back, as another library reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), data => {
      const hostile = JSON.stringify(data)?.includes('__proto__') === true
      if (hostile || JSON.stringify(data).includes('"<<"')) return
      const text = dump(data)
      assert.deepEqual(value(text) ?? null, parseWithYaml(text))
    }),
  )
})

test('every key and value has its place', () => {
  const { documents } = read('a: 1\nlist:\n  - name: "x"\n    text: |\n      one\n      two\n  - {k: v}\n')
  const [document] = documents
  assert.ok(document !== undefined)
  const place = (path: Path, of: 'key' | 'start'): string => {
    const { line, column } = positionAt(document.source, markAt(document.mark, path)?.[of] ?? -1)
    return `${line}:${column}`
  }
  assert.equal(place(['a'], 'key'), '1:1')
  assert.equal(place(['a'], 'start'), '1:4')
  assert.equal(place(['list', 0], 'start'), '3:5')
  assert.equal(place(['list', 0, 'name'], 'start'), '3:11')
  assert.equal(place(['list', 0, 'text'], 'key'), '4:5')
  assert.equal(place(['list', 1, 'k'], 'key'), '7:6')
})

test('the place of a key is where the key stands in the text', () => {
  const keys = fc.stringMatching(/^k[a-z0-9]{2,8}$/)
  fc.assert(
    fc.property(fc.dictionary(keys, fc.dictionary(keys, fc.integer())), data => {
      const [document] = read(dump(data)).documents
      assert.ok(document !== undefined)
      for (const [outer, inner] of Object.entries(data)) {
        for (const key of Object.keys(inner)) {
          const start: number = markAt(document.mark, [outer, key])?.key ?? -1
          assert.equal(document.source.text.slice(start, start + key.length + 1), `${key}:`)
        }
      }
    }),
  )
})

test('a broken document does not hide the others', () => {
  const { documents, problems } = read('a: 1\n---\nb: [\n---\nc: 3\n')
  assert.deepEqual(
    documents.map(document => document.value),
    [{ a: 1 }, { c: 3 }],
  )
  assert.deepEqual(
    problems.map(({ code, at }) => `${code} ${at?.line}`),
    ['YAML_SYNTAX 3'],
  )
})

test('documents in front of which stand comments, directives or nothing', () => {
  assert.deepEqual(
    read('# first\n%YAML 1.2\n---\na: 1\n...\n# between\n---\nb: 2\n').documents.map(({ value }) => value),
    [{ a: 1 }, { b: 2 }],
  )
  assert.deepEqual(read('text: |\n  ---\n  inside\n').documents.length, 1)
})

test('aliases, merge keys, tags and keys that are not text are refused', () => {
  assert.deepEqual(codes('a: &x 1\nb: *x\n'), ['YAML_ALIAS'])
  assert.deepEqual(codes('<<: {a: 1}\n'), ['YAML_MERGE_KEY'])
  assert.deepEqual(codes('"<<": 1\n'), [])
  assert.deepEqual(codes('a: !!js/function x\n'), ['YAML_TAG'])
  assert.deepEqual(codes('? [a]\n: b\n'), ['YAML_KEY'])
  assert.deepEqual(codes(': b\n'), ['YAML_KEY'])
})

test('an anchor that nobody uses, and the tag of text, do no harm', () => {
  assert.deepEqual(read('a: &x !!str 1\n').documents[0]?.value, { a: '1' })
})

test('keys named like members of objects are only keys', () => {
  assert.deepEqual(codes('__proto__: {polluted: true}\n'), ['YAML_KEY'])
  assert.deepEqual(codes('{"__proto__": 1}'), ['YAML_KEY'])
  const data = value('constructor: 1\nprototype: 2\ntoString: 3\nhasOwnProperty: 4\n')
  assert.deepEqual(Object.keys(data as object), ['constructor', 'prototype', 'toString', 'hasOwnProperty'])
  assert.equal(Reflect.get({}, 'polluted'), undefined)
})

test('nesting ends at its bound, however it is written and however deep', () => {
  const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`
  assert.deepEqual(codes(nested(DEPTH_MAX)), [])
  assert.deepEqual(codes(nested(DEPTH_MAX + 1)), ['YAML_TOO_DEEP'])
  assert.deepEqual(codes(nested(100_000)), ['YAML_TOO_DEEP'])
  assert.deepEqual(codes('{a: '.repeat(500)), ['YAML_TOO_DEEP'])
  assert.deepEqual(codes('- '.repeat(500)), ['YAML_TOO_DEEP'])
})

test('the number of values ends at its bound, over all documents of a text', () => {
  const list = `[${'1,'.repeat(NODES_MAX / 2 - 1)}]\n`
  assert.deepEqual(codes(`${list}---\n${list}`), [])
  assert.deepEqual(codes(`${list}---\n${list}---\na: 1\n---\n${list}`), ['YAML_TOO_MANY_VALUES'])
})

test('what is not YAML gives a problem with a place, never an exception', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'a:-[]{}\n\t "\'|>&*!#%@`,?$ \0\ufeff\u2028'.split('')) }),
      text => {
        for (const { at } of read(text).problems)
          assert.ok(at !== undefined && at.line >= 1 && at.column >= 1)
      },
    ),
    { numRuns: 2000 },
  )
})
