import { containerName, KEYS, refOfPod } from '../../executors/pod/names.ts'
import { type LogPlace, sinceTime } from '../../executors/pod/log-cursor.ts'
import { LogLines } from '../../executors/pod/log-lines.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { PODS } from '../../kubernetes/resource.ts'
import { pause } from '../../kubernetes/timing.ts'
import type { AttemptRef } from '../../ports/executor.ts'
import type { LogSink } from '../show/log-text.ts'
import { ASKED, type Session } from './session.ts'

interface ContainerStatus {
  readonly name: string
  readonly state?: {
    readonly running?: object
    readonly terminated?: { readonly exitCode?: number }
  }
}

export type PodObject = KubeObject & {
  readonly status?: {
    readonly phase?: string
    readonly startTime?: string
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
  }
}

/** How far a container is. */
export type ContainerPhase = 'waiting' | 'running' | 'ended'

/** The pod of an attempt, as far as its logs are concerned. */
export interface AttemptPod {
  readonly ref: AttemptRef
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly createdAt: string
  readonly container: string
  readonly phase: ContainerPhase
  readonly hasFailed: boolean
}

/** Null for pods that are of no attempt, and those that only take a name. */
export function attemptPod(pod: PodObject, container: string | null): AttemptPod | null {
  const { metadata, status = {} } = pod
  const ref = refOfPod(pod, metadata.labels?.[KEYS.installation] ?? '')
  if (ref === null || metadata.labels?.[KEYS.tombstone] === 'true') return null
  const own = containerName(ref.task)
  const statuses = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])]
  const found = statuses.find(({ name }) => name === (container ?? own))
  const isOver = status.phase === 'Succeeded' || status.phase === 'Failed'
  const phase =
    found?.state?.terminated !== undefined
      ? 'ended'
      : found?.state?.running !== undefined
        ? 'running'
        : 'waiting'
  const end = statuses.find(({ name }) => name === own)?.state?.terminated
  return {
    ref,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    createdAt: metadata.creationTimestamp ?? '',
    container: container ?? own,
    phase: phase === 'waiting' && isOver ? 'ended' : phase,
    // The phase is no answer: a pod is also ended by a deadline once its own container has succeeded.
    hasFailed: end === undefined ? status.phase === 'Failed' : end.exitCode !== 0,
  }
}

/**
 * How reading a log ended: to its end; the pod was removed before that; the container never began; or it breaks off
 * again and again.
 */
export type LogEnd = 'whole' | 'gone' | 'neverStarted' | 'cut'

export interface ReadOptions {
  /** Goes on until the container has ended. */
  readonly follow: boolean
  readonly tail: number | null
  readonly signal?: AbortSignal
  readonly say: (text: string) => void
}

const PAUSE_MS = 500
/** Streams in a row that bring nothing, before no more are opened. */
const RETRY_MAX = 5
/** A stream that stood for so long was none of those: the container is silent, and something ends idle streams. */
const STOOD_MS = 5_000

/** Writes the log of a container, without loss or repetition when a stream breaks off on the way. */
export async function readPodLog(
  session: Session,
  pod: AttemptPod,
  sink: LogSink,
  options: ReadOptions,
): Promise<LogEnd> {
  let place: LogPlace | null = null
  let hasBegun = false
  let failures = 0
  for (;;) {
    const tail = hasBegun ? null : options.tail
    const lines = new LogLines(place, !hasBegun && tail === null)
    const before: LogPlace | null = place
    const { end, stoodMs } = await readOnce(session, pod, place, lines, sink, { ...options, tail })
    place = lines.place
    hasBegun ||= place !== null
    if (end === 'gone' && hasBegun)
      options.say(`note: the pod of ${pod.ref.task} was removed before the end of its log was read`)
    if (end !== 'broken' && end !== 'ended') {
      await write(sink.end())
      return end === 'gone' && hasBegun ? 'cut' : end
    }
    if (lines.search === 'lost') {
      options.say(`note: the node has dropped a part of the log of ${pod.ref.task}`)
      // All that it still has is newer.
      place = null
    }
    const isOver =
      !options.follow || options.signal?.aborted === true || (await phaseOf(session, pod)) !== 'running'
    if (end === 'ended' && isOver) {
      await write([...sink.take(lines.end()), ...sink.end()])
      return 'whole'
    }
    failures = place === before && stoodMs < STOOD_MS ? failures + 1 : 0
    if (failures >= RETRY_MAX) {
      options.say(
        `warning: the log of ${pod.ref.task} cannot be read any further: ${lines.noise ?? 'it breaks off'}`,
      )
      await write(sink.end())
      return 'cut'
    }
    await pause(session.client.timing, PAUSE_MS, options.signal)
  }
}

/** One stream: how it ended, and how long it stood before that. */
interface Once {
  readonly end: LogEnd | 'broken' | 'ended'
  readonly stoodMs: number
}

async function readOnce(
  { client }: Session,
  pod: AttemptPod,
  place: LogPlace | null,
  lines: LogLines,
  sink: LogSink,
  { follow, tail, signal }: ReadOptions,
): Promise<Once> {
  const { namespace, name, container } = pod
  const { timing } = client
  let openedAt: number | null = null
  const over = (end: Once['end']): Once => ({ end, stoodMs: openedAt === null ? 0 : timing.now() - openedAt })
  try {
    const answer = await client.logs(
      { namespace, name },
      {
        container,
        follow,
        timestamps: true,
        ...(place === null ? {} : { sinceTime: sinceTime(place) }),
        ...(place === null && tail !== null ? { tailLines: tail } : {}),
      },
      { ...ASKED, ...(signal === undefined ? {} : { signal }) },
    )
    openedAt = timing.now()
    for await (const chunk of answer.body) {
      const bytes = lines.take(chunk as Buffer)
      if (bytes.length > 0) await write(sink.take(bytes))
      if (lines.noise !== null || lines.search === 'lost') {
        answer.body.destroy()
        return over('broken')
      }
    }
    return over('ended')
  } catch (error) {
    if (isProblem(error, 'notFound')) return over('gone')
    if (isProblem(error, 'badRequest')) return over('neverStarted')
    if (isProblem(error, 'forbidden', 'unauthorized', 'credentials', 'untrusted')) throw error
    if (isProblem(error, 'aborted') || signal?.aborted === true) return over('ended')
    return over('broken')
  }
}

const PASSING = ['unreachable', 'timeout', 'unavailable', 'tooManyRequests', 'internal'] as const

async function phaseOf(
  { client }: Session,
  { namespace, name, uid, container }: AttemptPod,
): Promise<ContainerPhase> {
  try {
    const pod = await client.get<PodObject>(PODS, { namespace, name }, ASKED)
    return pod.metadata.uid === uid ? (attemptPod(pod, container)?.phase ?? 'ended') : 'ended'
  } catch (error) {
    // Whether it still runs need not be known: the log itself says when nothing more comes.
    if (isProblem(error, 'notFound', 'forbidden')) return 'ended'
    // The stream is opened again in any case, which tells of the trouble if it stays.
    if (isProblem(error, ...PASSING)) return 'running'
    throw error
  }
}

/** Waits while the reader of our output is slower than we are. */
async function write(parts: readonly (Uint8Array | string)[]): Promise<void> {
  if (parts.length === 0) return
  const whole = Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part) : part)))
  if (process.stdout.write(whole)) return
  await new Promise<void>(resolve => process.stdout.once('drain', resolve))
}
