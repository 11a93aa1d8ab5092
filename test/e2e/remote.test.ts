import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../cli/program.ts'
import { type Served, served } from '../remote/server.ts'

/** Lines that can be told apart, some of them while the server is not there. */
const LINES = 60
/** A task that goes on until somebody ends it. */
const ENDLESS = 100_000

const counts = (lines: number): string => `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: counts}
spec:
  task:
    - name: count
      image: busybox
      script: for i in $(seq 1 ${lines}); do echo "line $i"; sleep 0.1; done
    - {name: after, image: busybox, runAfter: [count], script: echo after}
`

async function counting(lines: number): Promise<Served> {
  return await served(async at => {
    await mkdir(join(at.folder, 'dags'))
    await writeFile(join(at.folder, 'dags/counts.yaml'), counts(lines))
  })
}

const expected = Array.from({ length: LINES }, (_, at) => `line ${at + 1}`)

test('a server that is killed twice under watch and logs -f: both go on, nothing is lost or told twice', async t => {
  const at = await counting(LINES)
  t.after(() => at.close())
  const run = (await at.there('submit', 'counts', '-o', 'name')).stdout.trim()
  const watch = at.startThere('watch', run, '-o', 'json')
  const alone = at.startThere('logs', '-f', run, 'count')
  const all = at.startThere('logs', '-f', run)
  await until(() => watch.output() !== '' && all.output() !== '')
  for (const line of ['line 5\n', 'line 25\n']) {
    await until(() => alone.output().includes(line))
    await at.kill()
    // Whatever the task writes meanwhile is read later.
    await delay(400)
    await at.restart()
  }
  const [watched, one, several] = await Promise.all([watch.ended, alone.ended, all.ended])
  assert.equal(one.stdout, expected.map(line => `${line}\n`).join(''))
  assert.deepEqual([watched.code, one.code, several.code], [0, 0, 0])
  const lines = several.stdout.trimEnd().split('\n')
  assert.deepEqual(
    lines.filter(line => line.startsWith('count')).map(line => line.replace(/^count +\| /, '')),
    expected,
  )
  assert.deepEqual(lines.at(-1), 'after | after')
  const events = watched.stdout.trimEnd().split('\n')
  const log = (await at.here('watch', run, '-o', 'json')).stdout.trimEnd().split('\n')
  assert.deepEqual(events, log)
  for (const { stderr } of [watched, one, several]) {
    assert.match(stderr, /warning: http:\S+ cannot be reached: .*; trying again/)
    assert.match(stderr, /note: http:\S+ answers again/)
  }
})

test('Ctrl-C leaves a server that is away, and the run', async t => {
  const at = await counting(ENDLESS)
  t.after(() => at.close())
  const run = (await at.there('submit', 'counts', '-o', 'name')).stdout.trim()
  const watch = at.startThere('watch', run, '-o', 'lines')
  await until(() => watch.output().includes('count runs'))
  await at.kill()
  await delay(500)
  watch.child.kill('SIGINT')
  const { code, stderr } = await watch.ended
  assert.equal(code, 130)
  assert.match(stderr, new RegExp(`run ${run} goes on; cancel it with: kontroler cancel ${run}\n$`))
  await at.restart()
  assert.equal((await at.there('cancel', run)).stdout, `run ${run} is cancelled\n`)
})

test('who asks once is told that the server is away, and asks again when it is there', async t => {
  const at = await counting(ENDLESS)
  t.after(() => at.close())
  const run = (await at.there('submit', 'counts', '-o', 'name')).stdout.trim()
  await until(async () => (await at.there('logs', run)).stdout.includes('line 1'))
  await at.kill()
  const refused = await at.there('cancel', run)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /^error SERVER_UNREACHABLE: http:\S+ cannot be reached: .*ECONNREFUSED/)
  await at.restart()
  const cancel = await at.there('cancel', run)
  assert.deepEqual([cancel.code, cancel.stdout], [0, `run ${run} is cancelled\n`])
})

test('a token that is changed while somebody watches is told', async t => {
  const at = await counting(ENDLESS)
  t.after(() => at.close())
  const run = (await at.there('submit', 'counts', '-o', 'name')).stdout.trim()
  const watch = at.startThere('watch', run, '-o', 'lines')
  const follow = at.startThere('logs', '-f', run)
  await until(() => watch.output() !== '' && follow.output().includes('line 2'))
  await at.kill()
  await writeFile(at.tokenFile, `${'A'.repeat(43)}\n`)
  await at.restart()
  const [watched, followed] = await Promise.all([watch.ended, follow.ended])
  for (const { code, stderr } of [watched, followed]) {
    assert.equal(code, 1)
    assert.match(stderr, /error UNAUTHENTICATED: http:\S+ does not know who asks/)
    assert.match(stderr, /fix: kontroler login http:/)
  }
  await at.there('cancel', run)
})
