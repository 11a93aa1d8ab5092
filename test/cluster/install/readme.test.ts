import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { fullCluster, NEEDS_OWN } from '../shared.ts'
import { programOf } from './programs.ts'

const DOWN = 'npm run cluster -- down --mode full\n'

describe("the README's chapter on clusters", { skip: NEEDS_OWN, timeout: 300_000 }, () => {
  after(async () => {
    const kubectl = programOf(await fullCluster(), 'kubectl')
    await kubectl(['delete', 'namespace', 'kontroler', '--ignore-not-found', '--timeout=120s'])
  })

  test('followed word by word it does what it says', async () => {
    const chapter = readFileSync('README.md', 'utf8').split('\n## In a cluster\n')[1] ?? ''
    const block = /```sh\n([^]*?)```/u.exec(chapter)?.[1] ?? ''
    assert.ok(block.endsWith(DOWN), block)
    const cluster = await fullCluster()
    const crds = await programOf(cluster, 'kubectl')(['get', 'crd', '-o', 'name'])
    // The cluster is shared by all tests: it stays, and CRDs that other tests have made are not helm's to take.
    const lines = crds.includes('dags.kontroler.greedykomodo')
      ? block.replace(/^helm install .*(?= --wait$)/mu, '$& --set crds.install=false')
      : block
    const state = 'state' in cluster ? String(cluster.state) : ''
    const bash = spawn('bash', ['-euxo', 'pipefail', '-c', lines.slice(0, -DOWN.length)], {
      env: { ...process.env, KONTROLER_CLUSTER_STATE: state },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [said, steps] = await Promise.all([text(bash.stdout), text(bash.stderr), once(bash, 'close')])
    assert.equal(bash.exitCode, 0, steps + said)
    assert.match(said, /hello, cluster/, steps)
    assert.match(said, /^dagrun\.\S+hello\S* +hello +succeeded +4\/4/mu)
  })
})
