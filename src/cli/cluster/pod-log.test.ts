import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { Client } from '../../kubernetes/client.ts'
import { attemptId, attemptLabels, KEYS, podName } from '../../executors/pod/names.ts'
import { ApiProblem, type ProblemKind } from '../../kubernetes/problem.ts'
import { attemptPod, readPodLog } from './pod-log.ts'
import type { Session } from './session.ts'

const REF = { run: 'run-1', task: 'build', attempt: 1 }
const POD_OBJECT = {
  metadata: {
    namespace: 'a',
    name: podName(REF),
    uid: 'uid-1',
    resourceVersion: '1',
    labels: { [KEYS.installation]: 'here', ...attemptLabels(REF) },
    annotations: { [KEYS.attempt]: attemptId(REF) },
  },
  status: { phase: 'Running', containerStatuses: [{ name: 'build', state: { running: {} } }] },
}
const LINE = '2026-01-01T00:00:00.000000000Z hello\n'
const LAST = '2026-01-01T00:00:01.000000000Z bye\n'

/** What one stream does: its text, and how long it stands; or why it does not open. */
type Stream = { readonly text: string; readonly standsMs?: number } | ProblemKind

/** Follows the pod's log over these streams; when they are over, the pod is gone. */
async function followed(streams: readonly Stream[], pod: 'runs' | ProblemKind = 'runs') {
  let now = 0
  let opened = 0
  const refuse = (kind: ProblemKind): never => {
    throw new ApiProblem({ kind, effect: 'none', message: kind })
  }
  const client = {
    timing: {
      now: () => now,
      after(_: number, call: () => void) {
        const soon = setImmediate(call)
        return () => clearImmediate(soon)
      },
    },
    async logs() {
      const stream = streams[opened] ?? refuse('notFound')
      opened += 1
      if (typeof stream === 'string') return refuse(stream)
      const body = async function* () {
        yield Buffer.from(stream.text)
        now += stream.standsMs ?? 0
      }
      return { body: Readable.from(body()), problem: (error: unknown) => error }
    },
    async get() {
      if (pod !== 'runs') return refuse(pod)
      if (opened >= streams.length) return refuse('notFound')
      return POD_OBJECT
    },
  }
  const said: string[] = []
  let text = ''
  const sink = {
    take(bytes: Uint8Array) {
      text += Buffer.from(bytes).toString()
      return []
    },
    end: () => [],
  }
  const session = { client: client as unknown as Client } as Session
  const found = attemptPod(POD_OBJECT, null)
  assert.ok(found !== null)
  const end = await readPodLog(session, found, sink, { follow: true, tail: null, say: one => said.push(one) })
  return { end, text, said, opened }
}

test('a silent container is followed on, however often something ends its idle stream', async () => {
  const idle: Stream = { text: '', standsMs: 60_000 }
  const { end, text, said } = await followed([
    { text: LINE, standsMs: 60_000 },
    ...Array.from({ length: 20 }, () => idle),
    { text: `${LINE}${LAST}` },
  ])
  assert.deepEqual([end, text, said], ['whole', 'hello\nbye\n', []])
})

test('a part that the node has dropped is told, and what it still has is shown', async () => {
  const later = LAST.replace('T00', 'T01')
  const { end, text, said } = await followed([{ text: LINE }, { text: later }, { text: later }])
  assert.deepEqual([end, text], ['whole', 'hello\nbye\n'])
  assert.deepEqual(said, ['note: the node has dropped a part of the log of build'])
})

test('streams that bring nothing again and again end it, and it says so', async () => {
  const { end, text, said } = await followed([
    { text: LINE },
    ...Array.from({ length: 20 }, () => ({ text: '' })),
  ])
  assert.equal(end, 'cut')
  assert.equal(text, 'hello\n')
  assert.match(said.join(), /cannot be read any further/)
})

test('an API server that is away for a moment ends nothing', async () => {
  const { end, text } = await followed(
    [{ text: LINE }, 'unreachable', 'unavailable', { text: `${LINE}${LAST}` }],
    'unreachable',
  )
  assert.equal(text, 'hello\nbye\n')
  assert.equal(end, 'cut', 'then its pod is gone, and nobody knows whether that was all')
})

test('a pod that is gone at once is told as gone, one that goes on the way as cut', async () => {
  assert.equal((await followed([])).end, 'gone')
  const { end, said } = await followed([{ text: LINE }, 'unreachable'], 'unreachable')
  assert.equal(end, 'cut')
  assert.match(said.join(), /was removed before the end/)
})
