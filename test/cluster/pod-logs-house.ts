import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openPodExecutor } from '../../src/executors/pod/executor.ts'
import type { LogLimits } from '../../src/executors/pod/log-plan.ts'
import { systemClock } from '../../src/host/clock.ts'
import type { Client } from '../../src/kubernetes/client.ts'
import { NAMESPACES } from '../../src/kubernetes/resource.ts'
import { type Logs, openLogs } from '../../src/main/logs.ts'
import type { AttemptRef, AttemptSpec, Executor, Observation } from '../../src/ports/executor.ts'
import type { LogArchive, LogRef } from '../../src/ports/logs.ts'
import { attempt, type TaskShape, Watched } from '../contracts/executor-harness.ts'
import type { S3Server } from './s3-server.ts'

/** All that an engine needs to know, in JSON, so that a child can be one. */
export interface EnginePlan {
  readonly namespace: string
  readonly installation: string
  readonly stateDir: string
  readonly maxBytes: number
  readonly s3:
    | (Pick<S3Server, 'endpoint' | 'accessKeyId' | 'secretAccessKey'> & { readonly bucket: string })
    | null
  readonly limits?: Partial<LogLimits>
}

export interface Troubled {
  readonly code: string
  readonly message: string
}

/** An executor with the logs of its pods, as the controller has them. */
export interface TestEngine {
  readonly executor: Executor
  readonly watched: Watched
  readonly logs: Logs
  readonly troubles: readonly Troubled[]
  readonly close: () => Promise<void>
}

/** @param standing  What the database would say of an attempt. */
export async function openEngine(
  client: Client,
  plan: EnginePlan,
  standing: (ref: AttemptRef) => 'live' | 'ended' | 'unknown' = () => 'live',
): Promise<TestEngine> {
  const { namespace, installation, stateDir, maxBytes, s3 } = plan
  const troubles: Troubled[] = []
  const trouble = (code: string, message: string): void => void troubles.push({ code, message })
  const logs = await openLogs({
    logs:
      s3 === null
        ? { kind: 'files', maxBytes }
        : {
            kind: 's3',
            maxBytes,
            bucket: s3.bucket,
            prefix: 'logs',
            endpoint: s3.endpoint,
            region: null,
            pathStyle: true,
          },
    ...(s3 === null ? {} : { credentials: s3 }),
    ...(plan.limits === undefined ? {} : { limits: plan.limits }),
    stateDir,
    installation,
    client,
    clock: systemClock,
    random: Math.random,
    trouble,
  })
  const heard: ((observation: Observation) => void)[] = []
  const executor = await openPodExecutor({
    client,
    installation,
    namespaces: [namespace],
    observe: observation => heard.forEach(one => one(observation)),
    clock: systemClock,
    logs: logs.pods,
    erasInUse: async () => null,
    standing: async ref => standing(ref),
    stopGraceMs: 2_000,
    trouble,
  })
  const watched = new Watched({
    open: observe => {
      heard.push(observe)
      return executor
    },
    logs: logs.archive,
    workdir: '/',
    leftovers: () => [],
    remove: async () => undefined,
  })
  return { executor, watched, logs, troubles, close: () => executor.close() }
}

/** A namespace and folders of its own. */
export interface LogPlace {
  readonly plan: EnginePlan
  readonly task: (shape: TaskShape) => AttemptSpec
  readonly open: (
    changes?: Partial<EnginePlan>,
    standing?: Parameters<typeof openEngine>[2],
  ) => Promise<TestEngine>
  readonly remove: () => Promise<void>
}

export async function logPlace(client: Client, s3: EnginePlan['s3']): Promise<LogPlace> {
  const id = randomBytes(4).toString('hex')
  const namespace = `logs-${id}`
  await client.create(NAMESPACES, undefined, { metadata: { name: namespace } })
  const stateDir = await mkdtemp(join(tmpdir(), 'kontroler-logs-'))
  const plan: EnginePlan = { namespace, installation: `test-${id}`, stateDir, maxBytes: 2 * 1024 ** 3, s3 }
  const opened: TestEngine[] = []
  return {
    plan,
    task: shape =>
      attempt({ image: 'busybox:1.36', workdir: '/', namespace }, { run: `run-${id}`, ...shape }),
    async open(changes = {}, standing) {
      const engine = await openEngine(client, { ...plan, ...changes }, standing)
      opened.push(engine)
      return engine
    },
    async remove() {
      for (const engine of opened) await engine.close()
      await client.remove(NAMESPACES, { name: namespace })
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}

/** Waits until the log is durable; the test's own time limit ends it otherwise. */
export async function durable({ logs }: TestEngine, { container, ...attempt }: LogRef): Promise<void> {
  const pod = {
    attempt,
    namespace: '',
    pod: '',
    uid: '',
    own: '',
    others: container === undefined ? [] : [container],
  }
  while (!(await logs.pods.isComplete(pod))) await sleep(100)
}

/** The whole log, once it is durable. */
export async function wholeLog(
  engine: TestEngine,
  { run, task, attempt, container }: LogRef,
): Promise<Buffer> {
  const log: LogRef = { run, task, attempt, ...(container === undefined ? {} : { container }) }
  await durable(engine, log)
  const parts: Uint8Array[] = []
  for await (const part of partsOf(engine.logs.archive, log)) parts.push(part)
  return Buffer.concat(parts)
}

export async function* partsOf(archive: LogArchive, log: LogRef): AsyncGenerator<Uint8Array> {
  for (let offset = 0; ; ) {
    const part = await archive.read(log, offset, 8 * 1024 * 1024)
    if (part.length === 0) return
    offset += part.length
    yield part
  }
}

const LINE_BYTES = 1024
const LINES_OF_MIB = 1024
const PAD = 'x'.repeat(LINE_BYTES - 14)

/** Says so many MiB, one line of a kibibyte after the other, each with its number, at about so many MiB a second. */
export const chatty = (mib: number, mibOfSecond: number): string =>
  `awk 'BEGIN { for (i = 0; i < ${mib * LINES_OF_MIB}; i++) { printf "%012d ${PAD}\\n", i; ` +
  `if (i % ${LINES_OF_MIB * Math.max(1, Math.floor(mibOfSecond / 4))} == 0) { fflush(); ` +
  `system("sleep ${mibOfSecond >= 4 ? 0.25 : 1 / mibOfSecond}") } } }'`

export interface Told {
  /** The first thing that is wrong; null when every line is there once and in order, or said to be missing. */
  readonly wrong: string | null
  /** How often the log says that lines are missing. */
  readonly holes: number
}

/** What a log of {@link chatty} holds. */
export async function toldBy(archive: LogArchive, log: LogRef, mib: number): Promise<Told> {
  let line = 0
  let holes = 0
  let isHole = false
  let rest: Buffer = Buffer.alloc(0)
  const wrong = (what: string): Told => ({ wrong: what, holes })
  for await (const part of partsOf(archive, log)) {
    const bytes = Buffer.concat([rest, part])
    let at = 0
    for (let end = bytes.indexOf(10); end !== -1; at = end + 1, end = bytes.indexOf(10, at)) {
      const found = bytes.toString('latin1', at, end)
      if (found.startsWith('[kontroler: lines between ')) {
        isHole = true
        holes += 1
        continue
      }
      const number = Number(found.slice(0, 12))
      if (found !== `${String(number).padStart(12, '0')} ${PAD}`)
        return wrong(`line ${line} is ${found.slice(0, 200)}`)
      if (isHole ? number < line : number !== line) return wrong(`line ${line} has the number ${number}`)
      isHole = false
      line = number + 1
    }
    rest = bytes.subarray(at)
  }
  if (rest.length > 0) return wrong(`there is more: ${rest.toString('latin1', 0, 200)}`)
  return line === mib * LINES_OF_MIB ? { wrong: null, holes } : wrong(`it ends after line ${line}`)
}
