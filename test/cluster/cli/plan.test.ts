import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { OperatorHouse } from '../operator/house.ts'
import { task } from '../operator/house.ts'
import { startOperatorPlace } from '../operator/place.ts'
import { person } from './place.ts'

const place = await startOperatorPlace()
const HEAD = 'apiVersion: kontroler.greedykomodo/v1alpha1\nkind: DAG\nmetadata: {name: nightly}\nspec:\n'
const NIGHTLY = { schedule: '0 3 * * *', task: [task('load'), task('report', { runAfter: ['load'] })] }

async function planning(t: TestContext): Promise<{
  readonly house: OperatorHouse
  readonly plan: (
    text: string,
    ...words: readonly string[]
  ) => ReturnType<Awaited<ReturnType<typeof person>>['kontroler']>
}> {
  const house = await place.house(t)
  const who = await person(place.cluster.kubeconfig)
  t.after(() => who[Symbol.asyncDispose]())
  return {
    house,
    plan: async (text, ...words) =>
      await who.kontroler('-n', house.namespace, 'plan', '-f', await who.file('plan.yaml', text), ...words),
  }
}

test('a DAG that is not there is new, with its tasks and ticks', async t => {
  const { house, plan } = await planning(t)
  const { code, stdout } = await plan(`${HEAD}  schedule: "0 3 * * *"
  task: [{name: load, image: "busybox:1.36", command: ["true"]}]
`)
  assert.equal(code, 0)
  assert.match(
    stdout,
    new RegExp(`^\\+ DAG nightly in ${house.namespace} is new: 1 task\n {4}\\+ task load\n`),
  )
  assert.match(
    stdout,
    /schedule none → every day at 03:00 \(UTC\)\n {4}in the next 7 days: 7 runs more, 0 fewer, 0 as before\n/,
  )
  assert.match(stdout, /\n1 new; nothing was changed\n$/)
  assert.equal(house.kubectl('get', 'dag', '-o', 'name'), '')
})

test('what would change is told: tasks, edges, schedules, and what becomes of runs', async t => {
  const { house, plan } = await planning(t)
  house.apply({ kind: 'DAG', name: 'nightly', spec: NIGHTLY })
  await house.dagIs('nightly', ({ version }) => version === 1)
  house.machine.script = () => 'runs'
  house.apply({ kind: 'DagRun', name: 'under-way', spec: { dagName: 'nightly' } })
  await house.until('under-way', ({ phase }) => phase === 'running')
  const text = `${HEAD}  schedule: "0 4 * * *"
  task:
    - {name: load, image: "busybox:1.37", command: ["true"]}
    - {name: check, image: "busybox:1.36", command: ["true"], runAfter: [load]}
`
  const { stdout } = await plan(text, '--days', '2')
  assert.match(stdout, /^~ DAG nightly in \S+ would be a new version \(in force: 1\)\n/)
  for (const line of [
    '    ~ task load: image',
    '    + task check',
    '    - task report',
    '    + edge load -> check',
    '    - edge load -> report',
  ])
    assert.ok(stdout.includes(`${line}\n`), `${line}\n${stdout}`)
  assert.match(
    stdout,
    /schedule every day at 03:00 \(UTC\) → every day at 04:00 \(UTC\)\n {4}in the next 2 days: 2 runs more, 2 fewer, 0 as before\n/,
  )
  assert.match(stdout, /runs in flight\n {4}● under-way \(running\) goes on with version 1\n/)
  const data = JSON.parse((await plan(text, '-o', 'json')).stdout)
  assert.deepEqual([data.objects[0].change, data.objects[0].schedule.added.length], ['changed', 7])
})

test('the same text changes nothing; suspending is no new version', async t => {
  const { house, plan } = await planning(t)
  house.apply({ kind: 'DAG', name: 'nightly', spec: NIGHTLY })
  await house.dagIs('nightly', ({ version }) => version === 1)
  const spec = { ...NIGHTLY }
  const same = await plan(`${HEAD.replace(/spec:\n$/u, '')}spec: ${JSON.stringify(spec)}\n`)
  assert.match(
    same.stdout,
    /^= DAG nightly in \S+ is unchanged: version 1\n {2}schedule unchanged: every day at 03:00 \(UTC\); 7 runs in the next 7 days\n/,
  )
  const held = await plan(
    `${HEAD.replace(/spec:\n$/u, '')}spec: ${JSON.stringify({ ...spec, suspended: true })}\n`,
  )
  assert.match(
    held.stdout,
    /^~ DAG nightly in \S+ changes: its schedules are suspended; this is no new version\n/,
  )
  assert.match(held.stdout, /0 runs more, 7 fewer, 0 as before\n/)
})

test('problems of files are told with their places, as validate tells them', async t => {
  const { plan } = await planning(t)
  const { code, stderr } = await plan(`${HEAD}  task: [{name: load, imgae: x}]\n`)
  assert.equal(code, 2)
  assert.match(stderr, /plan\.yaml:5:\d+/)
})

test('DagTasks and DagRuns are planned too; DagTasks of the cluster are found', async t => {
  const { house, plan } = await planning(t)
  const spec = { image: 'busybox:1.36', command: ['true'] }
  house.apply({ kind: 'DagTask', name: 'copy', spec })
  const rest = `---
apiVersion: kontroler.greedykomodo/v1alpha1
kind: DagRun
metadata: {name: once}
spec: {dagName: nightly}
---
apiVersion: kontroler.greedykomodo/v1alpha1
kind: DagRun
metadata: {name: late}
spec: {dagName: unheard-of}
`
  const { code, stdout, stderr } = await plan(
    `${HEAD}  task: [{name: load, taskRef: {name: copy, version: 1}}]\n${rest}`,
  )
  assert.equal(code, 0, stderr)
  assert.match(stdout, /\+ DagRun once in \S+ is new: starts a run of DAG nightly\n/)
  assert.match(stdout, /\+ DagRun late in \S+ is new, and waits until DAG unheard-of is there\n/)
  const changed = await plan(
    'apiVersion: kontroler.greedykomodo/v1alpha1\nkind: DagTask\nmetadata: {name: copy}\nspec: {image: "busybox:2", command: ["true"]}\n',
  )
  assert.match(changed.stdout, /^~ DagTask copy in \S+ would be a new version/)
})
