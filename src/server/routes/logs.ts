import { Readable } from 'node:stream'
import * as z from 'zod'
import { LIMITS } from '../../core/limits.ts'
import type { LogRef } from '../../ports/logs.ts'
import type { StoredRun } from '../../ports/store.ts'
import { theRun } from '../access.ts'
import { offsetOfLast } from '../../engine/log-tail.ts'
import type { ServerParts } from '../parts.ts'
import { RequestProblem } from '../problem.ts'
import { type AnyRoute, type Answer, route } from '../route.ts'
import * as values from '../schemas/values.ts'
import { replayed, taskNamed } from './runs.ts'

const CHUNK_BYTES = 256 * 1024
const LOOK_MS = 100

const getLog = route({
  id: 'getLog',
  method: 'GET',
  path: '/api/v1/runs/{run}/tasks/{task}/log',
  summary: 'What an attempt wrote: a range, its end, all of it, or as it grows',
  access: theRun('view'),
  params: values.taskParams,
  query: z.strictObject({
    attempt: values.seq.optional().describe('Default: the newest.'),
    container: z
      .string()
      .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
      .optional()
      .describe('An init container or sidecar of its pod instead of the task itself.'),
    offset: values.offset.optional().describe('First byte.'),
    tail: values.count.optional().describe('Only the last lines of what is there now.'),
    bytes: values.bytes.optional().describe('Most bytes of the answer; default 4 MiB.'),
    follow: values.flag.optional().describe('`true`: goes on until the attempt has ended.'),
    download: values.flag.optional().describe('`true`: all of it, as a file.'),
  }),
  responses: {
    200: {
      description: 'Bytes as the task wrote them, shown as text.',
      type: 'text/plain',
      headers: {
        'kontroler-log-offset': 'Where the first byte of the answer stands.',
        'kontroler-log-size': 'Bytes that were there when it was asked for.',
        'kontroler-log-ended': '`true`: nothing will be added.',
      },
    },
  },
  async handle({ object: run, params, query, stillMay, parts }) {
    const attempts = await parts.store.attempts(run.id, params.task)
    const attempt = query.attempt ?? attempts.length
    const of = attempts.find(one => one.attempt === attempt)
    if (of === undefined) throw await noAttempt(parts, run, params.task, attempt)
    const named = { run: run.id, task: params.task, attempt }
    const ref = query.container === undefined ? named : { ...named, container: query.container }
    return await logAnswer(parts, run, ref, of.phase === 'ended', { ...query, stillMay })
  },
})

export const LOG_ROUTES: readonly AnyRoute[] = [getLog]

async function noAttempt(
  parts: ServerParts,
  run: StoredRun,
  key: string,
  attempt: number,
): Promise<RequestProblem> {
  const task = taskNamed(await replayed(parts, run), key)
  const message =
    task.attempts.length === 0
      ? `${task.key} has written nothing: it is ${task.state}`
      : `${task.key} has no attempt ${attempt}`
  return new RequestProblem('NOT_FOUND', message, 'see the attempts of the task')
}

interface Wanted {
  readonly offset?: number | undefined
  readonly tail?: number | undefined
  readonly bytes?: number | undefined
  readonly follow?: boolean | undefined
  readonly download?: boolean | undefined
  readonly stillMay: () => Promise<boolean>
}

async function logAnswer(
  parts: ServerParts,
  run: StoredRun,
  ref: LogRef,
  ended: boolean,
  wanted: Wanted,
): Promise<Answer> {
  const { logs, limits } = parts
  const size = (await logs.size(ref)) ?? 0
  const read = (from: number, bytes: number): Promise<Uint8Array> => logs.read(ref, from, bytes)
  const offset =
    wanted.tail === undefined ? (wanted.offset ?? 0) : await offsetOfLast(wanted.tail, size, read)
  const headers = {
    'content-type': 'text/plain; charset=utf-8',
    'kontroler-log-offset': String(offset),
    'kontroler-log-size': String(size),
    'kontroler-log-ended': String(ended),
    ...(wanted.download === true ? { 'content-disposition': attachment(run, ref) } : {}),
  }
  if (wanted.follow === true && !ended) {
    return { status: 200, headers, stream: followed(parts, ref, offset, wanted.stillMay) }
  }
  const all = wanted.download === true || wanted.follow === true
  const end = all ? size : Math.min(size, offset + (wanted.bytes ?? limits.logBytesMax))
  return { status: 200, headers, stream: Readable.from(piecesOf(read, offset, end), { objectMode: false }) }
}

async function* piecesOf(
  read: (from: number, bytes: number) => Promise<Uint8Array>,
  from: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  for (let at = from; at < end; ) {
    const bytes = await read(at, Math.min(CHUNK_BYTES, end - at))
    if (bytes.length === 0) return
    at += bytes.length
    yield bytes
  }
}

/** @throws {RequestProblem} `TOO_MANY_STREAMS` */
function followed(
  parts: ServerParts,
  ref: LogRef,
  offset: number,
  stillMay: () => Promise<boolean>,
): Readable {
  const { followers, limits } = parts
  if (followers.count >= limits.logFollowersMax) {
    const message = `${limits.logFollowersMax} logs are followed already`
    throw new RequestProblem('TOO_MANY_STREAMS', message, 'close one, or try again later', {
      headers: { 'retry-after': '5' },
    })
  }
  followers.count += 1
  const stream = Readable.from(growing(parts, ref, offset, stillMay), { objectMode: false })
  stream.on('close', () => {
    followers.count -= 1
  })
  return stream
}

/**
 * An end is looked for only when somebody wrote to the store, and the bytes once more after it: what is read after an
 * end was recorded is all there will ever be.
 */
async function* growing(
  { store, logs, clock, limits }: ServerParts,
  ref: LogRef,
  offset: number,
  stillMay: () => Promise<boolean>,
): AsyncGenerator<Uint8Array> {
  let asked = clock.now()
  let mark: number | null = null
  let over = false
  for (let at = offset; ; ) {
    if (clock.now() - asked >= limits.heartbeatMs) {
      if (!(await stillMay())) return
      asked = clock.now()
    }
    const bytes = await logs.read(ref, at, CHUNK_BYTES)
    at += bytes.length
    if (bytes.length > 0) {
      yield bytes
      continue
    }
    if (over) return
    const now = await store.changeMark()
    if (now !== mark) over = await hasEnded(store, ref)
    mark = now
    if (!over) await new Promise<void>(resolve => clock.after(LOOK_MS, resolve))
  }
}

async function hasEnded(store: ServerParts['store'], ref: LogRef): Promise<boolean> {
  const attempts = await store.attempts(ref.run, ref.task)
  const own = attempts.find(({ attempt }) => attempt === ref.attempt)
  return own === undefined || own.phase === 'ended'
}

/** Made of names that hold no quote and no slash. */
function attachment(run: StoredRun, { task, attempt, container }: LogRef): string {
  const parts = [run.name, task, attempt, container ?? 'task'].join('-')
  const name = parts.replace(/[^A-Za-z0-9.-]+/g, '_').slice(0, LIMITS.nameLengthMax * 4)
  return `attachment; filename="${name}.log"`
}
