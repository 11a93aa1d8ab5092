import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isProblem } from './problem.ts'
import { scanIdentity } from './scan-identity.ts'

const text = fc.string({ maxLength: 30 })

test('what is scanned is what is parsed, whatever the object holds', () => {
  fc.assert(
    fc.property(
      fc.record(
        {
          name: text,
          generateName: text,
          namespace: text,
          uid: text,
          resourceVersion: text,
          labels: fc.dictionary(text, text),
        },
        { requiredKeys: ['name', 'uid', 'resourceVersion'] },
      ),
      fc.boolean(),
      (metadata, otherOrder) => {
        const ordered = otherOrder ? Object.fromEntries(Object.entries(metadata).toReversed()) : metadata
        const body = Buffer.from(JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata: ordered }))
        assert.deepEqual(scanIdentity(body), {
          name: metadata.name,
          namespace: metadata.namespace ?? '',
          uid: metadata.uid,
          resourceVersion: metadata.resourceVersion,
        })
      },
    ),
  )
})

test('an answer without an object is a problem of unknown effect', () => {
  assert.throws(
    () => scanIdentity(Buffer.from('<html>')),
    error => isProblem(error, 'garbled') && error.effect === 'unknown',
  )
})
