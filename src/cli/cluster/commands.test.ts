import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  events,
  json,
  listOf,
  plainIdentity,
  refusal,
  type Reply,
  scriptedServer,
} from '../../../test/kubernetes/scripted-server.ts'
import { openClient } from '../../kubernetes/open-client.ts'
import { CommandError, EXIT } from '../exit.ts'
import { hasSettled, logs } from './logs.ts'
import { type DagRunObject, runOf } from './run-object.ts'
import type { TaskView } from './run-tasks.ts'
import { openSession, type Session, sessionIn } from './session.ts'
import { showToEnd } from './shown.ts'
import { submit } from './submit.ts'

const runObject = (phase: string): DagRunObject => ({
  metadata: { namespace: 'a', name: 'nightly-1', uid: 'uid-1', resourceVersion: '5', generation: 1 },
  spec: { dagName: 'nightly' },
  status: {
    phase,
    runId: 'run-1',
    dagVersion: 1,
    observedGeneration: 1,
    startTime: '2026-01-01T00:00:00Z',
    ...(phase === 'running' ? {} : { completionTime: '2026-01-01T00:01:00Z' }),
  },
})

const sessionOf = (url: string): Session => {
  const client = openClient({ identity: plainIdentity(url) })
  const environment = { color: false, terminal: false, live: false, columns: 80, rows: 24 }
  return {
    client,
    environment: environment as Session['environment'],
    namespace: 'a',
    command: (...words) => ['kontroler', ...words].join(' '),
    [Symbol.asyncDispose]: () => client.close(),
  }
}

const notFound = refusal(404, 'NotFound')

test('a follower of logs who may not watch pods is told so, and nothing goes on behind it', async () => {
  const watchClosed = Promise.withResolvers<void>()
  const answer: Reply = (request, response) => {
    const { path, query } = request
    const isWatch = query.has('watch')
    const run = runObject('running')
    let reply: Reply = notFound
    if (path.endsWith('/dagruns/nightly-1')) reply = json(200, run)
    else if (path.endsWith('/dagruns') && isWatch) {
      response.on('close', () => watchClosed.resolve())
      reply = events([], 'stay')
    } else if (path.endsWith('/dagruns')) reply = listOf(5, run)
    else if (path.endsWith('/pods')) reply = isWatch ? refusal(403, 'Forbidden') : listOf(5)
    reply(request, response)
  }
  await using server = await scriptedServer(answer)
  await using session = sessionOf(server.url)
  await assert.rejects(
    logs(session, 'nightly-1', undefined, { follow: true }),
    (error: unknown) => error instanceof CommandError && error.code === 'NO_RIGHTS',
  )
  await watchClosed.promise
})

test('a DAG that cannot be read for a moment does not change how a run ends', async () => {
  const answer: Reply = (request, response) => {
    let reply: Reply = (_, wrong) => void wrong.writeHead(200).end('no JSON')
    if (request.path.endsWith('/dagruns'))
      reply = request.query.has('watch') ? events([], 'stay') : listOf(6, runObject('succeeded'))
    reply(request, response)
  }
  await using server = await scriptedServer(answer)
  await using session = sessionOf(server.url)
  assert.equal(await showToEnd(session, runOf(runObject('running')), 'none'), EXIT.succeeded)
})

test('commands about a run of a file name its namespace', () => {
  const session = sessionOf('http://127.0.0.1:1')
  assert.equal(sessionIn(session, 'a').command('get', 'x'), 'kontroler get x')
  assert.equal(sessionIn(session, 'b').command('get', 'x'), 'kontroler -n b get x')
})

const view = (name: string, state: TaskView['state'], more: Partial<TaskView> = {}): TaskView => ({
  name,
  state,
  depth: 0,
  part: 'main',
  told: null,
  after: [],
  work: 'container',
  isFanOut: false,
  isItem: false,
  items: [],
  ...more,
})

test('a task has settled when its status says so, or it follows; of fan-outs it never follows', () => {
  assert.ok(hasSettled([view('a', 'succeeded'), view('b', 'running')], 'a'))
  assert.ok(!hasSettled([view('a', 'succeeded'), view('b', 'running')], 'b'))
  assert.ok(!hasSettled([view('a', null)], 'a'))
  assert.ok(!hasSettled([view('a', 'settled'), view('b', 'pending', { isFanOut: true })], 'a'))
  const told = { name: 'a', state: 'failed' } as NonNullable<TaskView['told']>
  assert.ok(hasSettled([view('a', 'failed', { told }), view('b', 'pending', { isFanOut: true })], 'a'))
})

test('who may not read DagTasks may start a run of a DAG that names one', async () => {
  const dag = {
    metadata: { namespace: 'a', name: 'nightly', uid: 'uid-2', resourceVersion: '1' },
    spec: { task: [{ name: 'load', taskRef: { name: 'copy', version: 1 } }] },
  }
  const asked: string[] = []
  const answer: Reply = (request, response) => {
    asked.push(`${request.method} ${request.path.replace(/^.*\/a\//u, '')}`)
    let reply: Reply = notFound
    if (request.method === 'POST') reply = json(201, runObject('running'))
    else if (request.path.endsWith('/dagtasks')) reply = refusal(403, 'Forbidden')
    else if (request.path.endsWith('/dags/nightly')) reply = json(200, dag)
    reply(request, response)
  }
  await using server = await scriptedServer(answer)
  await using session = sessionOf(server.url)
  assert.equal(await submit(session, 'nightly', { output: 'none' }), EXIT.succeeded)
  assert.deepEqual(asked, ['GET dags/nightly', 'GET dagtasks', 'POST dagruns'])
})

test('what is no name of a namespace is told before anything is asked', async () => {
  const { environment } = sessionOf('http://127.0.0.1:1')
  for (const namespace of ['', 'Data', '=data', 'a/b', '..'])
    await assert.rejects(openSession({ color: true, namespace }, environment, []), { code: 'BAD_OPTION' })
})
