import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asksForCluster, clusterWords } from './asked.ts'

describe('a command line is about a cluster', () => {
  const cases: readonly (readonly [words: string, plugin: boolean, asks: boolean])[] = [
    ['list', false, false],
    ['list -n data', false, true],
    ['-n data list', false, true],
    ['-ndata list', false, true],
    ['list --namespace=data', false, true],
    ['--context prod get x', false, true],
    ['get x --kubeconfig file', false, true],
    ['submit nightly', false, true],
    ['--state dir submit nightly', false, false],
    ['list -n data --state dir', false, false],
    ['list -n data --database=postgres://x', false, false],
    ['validate -n data file', false, false],
    ['export -n data nightly', false, false],
    ['approve x -m -n', false, false],
    ['run x -p -n=1', false, false],
    ['retry x -- -n', false, false],
    ['list', true, true],
    ['validate x', true, false],
    ['completion bash', true, false],
    ['', true, true],
  ]
  for (const [words, plugin, asks] of cases) {
    it(`${plugin ? 'kubectl kontroler' : 'kontroler'} ${words}: ${asks ? 'yes' : 'no'}`, () => {
      assert.equal(
        asksForCluster(
          words.split(' ').filter(word => word !== ''),
          plugin,
        ),
        asks,
      )
    })
  }
})

it('the words that name a cluster are found wherever they stand', () => {
  const words = ['-n', 'data', 'submit', 'x', '-p', '-n=1', '--context=prod', '--', '--as', 'bob']
  assert.deepEqual(clusterWords(words), ['-n', 'data', '--context=prod'])
})
