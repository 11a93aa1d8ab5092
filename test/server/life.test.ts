import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Run } from '../../src/client/api-types.ts'
import type { Client } from '../../src/client/client.ts'
import { ApiProblem } from '../../src/client/problem.ts'
import { type House, openHouse } from './house.ts'

/** The whole life of a DAG by somebody who knows the OpenAPI document and nothing else. */

let house: House
let client: Client
before(async () => {
  house = await openHouse()
  client = house.as('editor')
})
after(() => house.close())

const PLACE = { namespace: 'default', name: 'release' }

const document = (image: string): string => `
apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: release}
spec:
  parameters:
    - {name: COUNT, type: integer, defaultValue: "2"}
    - {name: REGION, required: true, enum: [eu, us]}
  task:
    - name: build
      ${image}: busybox
      parameters: [COUNT, REGION]
      script: |
        echo "building $COUNT for $REGION"
    - name: publish
      image: busybox
      runAfter: [build]
      script: |
        echo publishing
        while [ ! -e ${join(house.folder, 'go')} ]; do sleep 0.05; done
        test -e ${join(house.folder, 'fixed')}
    - name: go-live
      runAfter: [publish]
      approval:
        message: really?
        form: [{name: WHO, required: true}]
`

async function refused(code: string, promise: Promise<unknown>): Promise<ApiProblem> {
  const problem = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  assert.ok(problem instanceof ApiProblem, String(problem))
  assert.equal(problem.code, code, problem.message)
  return problem
}

async function until(run: string, holds: (run: Run) => boolean): Promise<Run> {
  for (;;) {
    const now = await client.call('getRun', { params: { run } })
    if (holds(now)) return now
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

test('create with a mistake, fix it, run, follow, read, retry, fork, approve, cancel, delete', async () => {
  // A mistake is told with its place and what was meant, and nothing is stored.
  const { problems } = await client.call('validate', { body: document('imgae') })
  const mistake = problems.find(({ code }) => code === 'FIELD_UNKNOWN')
  assert.deepEqual(mistake?.at, { line: 11, column: 7 })
  const wrong = await refused(
    'INVALID_DOCUMENT',
    client.call('putDag', { params: PLACE, body: document('imgae') }),
  )
  assert.equal(wrong.status, 422)
  assert.deepEqual(wrong.problem.problems, problems)
  assert.match(mistake?.fix ?? '', /did you mean image/)
  await refused('UNKNOWN_DAG', client.call('getDag', { params: PLACE }))

  const made = await client.ask('putDag', { params: PLACE, body: document('image') })
  assert.equal(made.status, 201)
  assert.deepEqual([made.body.version, made.body.keeper, made.body.tasks], [1, 'api', 3])
  assert.deepEqual(made.body.notes, ['a note'])
  const graph = await client.call('getDagGraph', { params: { ...PLACE, version: 1 } })
  assert.deepEqual(graph.edges, [
    { from: 'build', to: 'publish' },
    { from: 'publish', to: 'go-live' },
  ])
  const source = await client.call('getDagSource', { params: { ...PLACE, version: 1 } })
  assert.match(source, /^apiVersion: kontroler/)

  // Wrong values are all told at once.
  const bad = [
    { name: 'COUNT', value: 'many' },
    { name: 'REGON', value: 'eu' },
  ]
  const order = { namespace: 'default', dag: 'release' }
  const values = await refused(
    'PARAMETER_UNKNOWN',
    client.call('createRun', { body: { ...order, parameters: bad } }),
  )
  assert.deepEqual(
    values.problem.problems.map(({ code }) => code),
    ['PARAMETER_UNKNOWN', 'PARAMETER_TYPE', 'PARAMETER_REQUIRED'],
  )

  // Followed from before it begins to its end.
  const leaving = new AbortController()
  const stream = client.follow({ dag: 'release', signal: leaving.signal })[Symbol.asyncIterator]()
  assert.equal((await stream.next()).value?.kind, 'ready')
  const parameters = [
    { name: 'COUNT', value: 3 },
    { name: 'REGION', value: 'eu' },
  ]
  const input = { body: { ...order, parameters }, headers: { 'idempotency-key': 'first' } }
  const started = await client.ask('createRun', input)
  assert.equal(started.status, 201)
  const run = started.body.id
  const again = await client.ask('createRun', input)
  assert.deepEqual([again.status, again.body.id], [200, run])
  await refused(
    'KEY_REUSED',
    client.call('createRun', { ...input, body: { ...order, parameters: [{ name: 'REGION', value: 'us' }] } }),
  )

  const log = await client
    .stream('getLog', { params: { run, task: 'build' }, query: { follow: 'true' } })
    .catch(
      // It may not have begun when it is first asked for.
      async () => {
        await until(run, now => now.tasksDone > 0)
        return await client.stream('getLog', { params: { run, task: 'build' } })
      },
    )
  assert.equal(await log.text(), 'building 3 for eu\n')
  await until(run, now => now.tasksDone === 1)
  const waits = await client.call('explainRun', { params: { run }, query: { task: 'go-live' } })
  assert.equal(waits.code, 'WAITING_FOR_TASKS')
  await writeFile(join(house.folder, 'go'), '')
  const failed = await until(run, now => now.endedAt !== null)
  assert.deepEqual([failed.phase, failed.tasksDone], ['failed', 3])
  const types = new Set<string>()
  for (let over = false; !over; ) {
    const told = (await stream.next()).value
    if (told?.kind !== 'change') continue
    assert.equal(told.change.run.id, run)
    for (const { type } of told.change.events) types.add(type)
    over = types.has('runSettled')
  }
  for (const type of ['runCreated', 'attemptStarted', 'attemptEnded']) assert.ok(types.has(type), type)
  leaving.abort()
  await stream.return?.(undefined)

  const why = await client.call('explainRun', { params: { run } })
  assert.deepEqual([why.code, why.root[0]?.task], ['RUN_FAILED', 'publish'])
  const tasks = await client.call('listTasks', { params: { run }, query: { state: ['failed'] } })
  assert.deepEqual(
    tasks.items.map(({ task, exitCode }) => [task, exitCode]),
    [['publish', 1]],
  )
  const { items: attempts } = await client.call('listAttempts', { params: { run, task: 'publish' } })
  assert.equal(attempts[0]?.outcome, 'exitCode')

  // Retried with what succeeded, up to the approval.
  await writeFile(join(house.folder, 'fixed'), '')
  const retried = await client.call('retryRun', { params: { run } })
  assert.deepEqual([retried.continues, retried.reused], [run, 1])
  await until(retried.id, now => now.tasksDone === 2)
  await refused(
    'FORM_FIELD_MISSING',
    client.call('answerApproval', { params: { run: retried.id, task: 'go-live' }, body: { approved: true } }),
  )
  const answer = { approved: true, values: { WHO: 'ada' } }
  await client.call('answerApproval', { params: { run: retried.id, task: 'go-live' }, body: answer })
  assert.equal((await until(retried.id, now => now.endedAt !== null)).phase, 'succeeded')
  await refused('NOTHING_TO_RETRY', client.call('retryRun', { params: { run: retried.id } }))

  // Forked from a task; paused, resumed and cancelled while it waits.
  const forked = await client.call('forkRun', { params: { run: retried.id }, body: { from: ['publish'] } })
  assert.equal(forked.reused, 1)
  await until(forked.id, now => now.tasksDone === 2)
  assert.equal((await client.call('pauseRun', { params: { run: forked.id } })).phase, 'paused')
  assert.equal((await client.call('resumeRun', { params: { run: forked.id } })).phase, 'running')
  await client.call('cancelRun', { params: { run: forked.id }, body: {} })
  assert.equal((await until(forked.id, now => now.endedAt !== null)).phase, 'cancelled')
  await refused('RUN_FINISHED', client.call('pauseRun', { params: { run: forked.id } }))

  const events = await client.call('listEvents', { params: { run }, query: { limit: 2 } })
  assert.deepEqual([events.items[0]?.type, events.items.length, events.next], ['runCreated', 2, 2])
  const { runs } = await client.call('getStats', { query: { dag: 'release' } })
  assert.deepEqual([runs.failed, runs.succeeded, runs.cancelled], [1, 1, 1])

  await client.call('deleteDag', { params: PLACE })
  await refused('UNKNOWN_DAG', client.call('getDag', { params: PLACE }))
  assert.equal((await client.call('listRuns', { query: { dag: 'release' } })).items.length, 3)
  assert.deepEqual(house.troubles, [])
})
