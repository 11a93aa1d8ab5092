import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { NEEDS_OWN } from './shared.ts'

const LIFE = join(import.meta.dirname, 'whole-life.ts')

/** In a network and a view of mounts of its own, so that it disturbs no cluster that stands already. */
test('a cluster with a node lives and leaves nothing behind', {
  skip: NEEDS_OWN,
  timeout: 600_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-life-'))
  try {
    const args = ['--net', '--mount', process.execPath, LIFE, join(folder, 'state')]
    const { status, stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8' })
    assert.equal(status, 0, `${stdout}\n${stderr}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
