import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { generatedFiles } from './generated.ts'

for (const [path, text] of generatedFiles())
  test(`${path} is made from the table of routes as it is`, () =>
    assert.ok(existsSync(path) && readFileSync(path, 'utf8') === text, `${path} is stale: npm run generate`))
