import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { podBody } from '../src/executors/pod/body.ts'
import { podProblem } from '../src/executors/pod/problem.ts'
import { goldens, SURROUNDINGS, written } from './pods/golden.ts'

for (const { name, file, spec, given } of goldens()) {
  test(`golden pod: ${name}`, () => {
    assert.equal(podProblem(spec), null)
    const pod: unknown = JSON.parse(JSON.stringify(podBody(spec, SURROUNDINGS)))
    const text = written(given, pod)
    if (process.env['UPDATE'] === '1') writeFileSync(file, text)
    assert.equal(readFileSync(file, 'utf8'), text, `${file} is stale: UPDATE=1 node test/run.ts pods.test`)
  })
}

test('there are golden pods to look at', () => assert.ok(goldens().length > 20))
