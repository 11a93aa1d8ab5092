import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadDocuments } from '../../src/spec/load.ts'
import { helm } from './helm.ts'

const CHART = 'deploy/example-chart'
const found = await helm()
const run = typeof found === 'string' ? (): string => assert.fail(found) : found
const skip = typeof found === 'string' && !process.env['CI'] ? found : false

describe('DAGs in the chart of an application', { skip }, () => {
  test('are good DAGs, with values of the chart and expressions of their own', () => {
    run('lint', '--strict', CHART)
    const text = run('template', 'shop', CHART, '--set', 'suspended=true')
    const { dags, problems } = loadDocuments([{ name: 'rendered.yaml', text }])
    assert.deepEqual(problems, [])
    assert.deepEqual(
      dags.map(({ dag }) => dag.name),
      ['nightly-report'],
    )
    assert.match(text, /value: \$\{\{ tasks\.count\.outputs\.orders \}\}/)
    assert.match(text, /suspended: true/)
    assert.match(text, /app\.kubernetes\.io\/instance: shop/)
  })
})
