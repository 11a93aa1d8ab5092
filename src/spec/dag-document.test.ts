import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { dagHash } from '../engine/dag-hash.ts'
import { loadDocuments } from './load.ts'
import { dagDocument } from './dag-document.ts'
import { yamlText } from './yaml-text.ts'

const files = ['examples/*.yaml', 'test/accepted/*.yaml'].flatMap(pattern => globSync(pattern)).toSorted()

test('there are documents to try', () => assert.ok(files.length > 20))

for (const file of files) {
  test(`${file}: what is exported reads as the same DAG`, () => {
    const { dags } = loadDocuments([{ name: file, text: readFileSync(file, 'utf8') }])
    for (const { dag } of dags) {
      const text = yamlText(dagDocument(dag))
      // A DAG that starts others is read beside them.
      const others = dags.filter(other => other.dag !== dag).map(other => yamlText(dagDocument(other.dag)))
      const again = loadDocuments([{ name: 'again.yaml', text: [text, ...others].join('---\n') }])
      assert.deepEqual(
        again.problems.filter(({ severity }) => severity === 'error'),
        [],
      )
      const same = again.dags.find(
        other => other.dag.name === dag.name && other.dag.namespace === dag.namespace,
      )
      assert.deepEqual(same?.dag, dag)
      assert.equal(same === undefined ? '' : dagHash(same.dag), dagHash(dag))
    }
  })
}
