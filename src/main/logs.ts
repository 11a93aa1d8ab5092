import { createFilesystemLogStore } from '../archives/filesystem/store.ts'
import { createS3LogStore, type S3LogStore } from '../archives/s3/store.ts'
import type { Config } from '../config.ts'
import type { Backlog } from '../controller/metrics.ts'
import { createApiLogSource } from '../executors/pod/api-log-source.ts'
import type { PodLogs } from '../executors/pod/cluster-logs.ts'
import { type CollectedLogs, collectedLogs } from '../executors/pod/collected-logs.ts'
import { createLogCollector } from '../executors/pod/log-collector.ts'
import type { LogLimits } from '../executors/pod/log-plan.ts'
import type { Client } from '../kubernetes/client.ts'
import type { Clock } from '../ports/clock.ts'
import type { LogArchive, LogRef, LogSpool } from '../ports/logs.ts'
import { sparingly } from './sparingly.ts'

export interface LogsOptions {
  readonly logs: Config['logs']
  /** Where logs are kept as files, and where they grow on their way to S3. */
  readonly stateDir: string
  readonly installation: string
  readonly client: Client
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly trouble: (code: string, message: string, run?: string | null) => void
  /** Static keys, for tests; the controller takes what the AWS chain finds. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** What is known of the nodes. */
  readonly limits?: Partial<LogLimits>
}

/** The logs of a controller's tasks: how they come from the cluster, and where they are kept. */
export interface Logs {
  /** For whoever reads. */
  readonly archive: LogArchive
  /** For the pod executor. */
  readonly pods: PodLogs
  /** Logs of ended attempts that are not safe yet. */
  backlog(): Backlog
  /** Somebody reads this log: while it grows it is live, until what is returned is called. */
  watch(log: LogRef): () => void
  /** Asks the archive whether it could be used, and tells of the trouble when not. */
  check(): Promise<void>
  close(): Promise<void>
}

/** Opens them. An archive that is away is no reason not to start: logs wait on this machine, and on their nodes. */
export async function openLogs(options: LogsOptions): Promise<Logs> {
  const { client, clock, random, stateDir } = options
  const trouble = sparingly(options.trouble, clock)
  const spool = createFilesystemLogStore(stateDir)
  const bucket = await bucketOf(options, spool, trouble)
  const store = bucket ?? spool
  const collector = createLogCollector({
    source: createApiLogSource(client),
    store,
    clock,
    random,
    bytesMax: options.logs.maxBytes,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    trouble: ({ code, log, message }) => trouble(code, `${nameOf(log)}: ${message}`, log.run),
  })
  const pods = collectedLogs({
    collector,
    store,
    spool,
    clock,
    giveUp: which => bucket?.giveUp(which),
    stop: () => bucket?.close(),
  })
  const check = async (): Promise<void> => {
    await bucket?.check().catch((error: unknown) => trouble(codeOf(error), String(error)))
  }
  if (bucket !== null) {
    void check()
    void sendLeftovers(bucket, spool, pods, trouble)
  }
  return {
    archive: {
      read: (log, offset, bytesMax) => store.read(log, offset, bytesMax),
      size: log => store.size(log),
      containers: attempt => store.containers(attempt),
      async remove(run) {
        await pods.forgetAll(attempt => attempt.run === run)
        await store.remove(run)
      },
    },
    pods,
    backlog: () => ({ queue: 'logs', ...pods.waiting() }),
    watch: log => collector.watch(log),
    check,
    close: () => pods.close(),
  }
}

type Trouble = ReturnType<typeof sparingly>

async function bucketOf(
  { logs, clock, random, installation, credentials }: LogsOptions,
  spool: LogSpool,
  trouble: Trouble,
): Promise<S3LogStore | null> {
  if (logs.kind === 'files') return null
  const { bucket, prefix, endpoint, region, pathStyle } = logs
  return await createS3LogStore({
    bucket,
    prefix,
    pathStyle,
    ...(endpoint === null ? {} : { endpoint }),
    ...(region === null ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    installation,
    spool,
    clock,
    random,
    trouble: (log, { code, message }) => trouble(code, `${nameOf(log)} waits: ${message}`, log.run),
  })
}

/**
 * Logs that an earlier engine had whole and that it was killed over before they were in the bucket. Their pods may be
 * gone, so that nobody would ask for them again.
 */
async function sendLeftovers(
  bucket: S3LogStore,
  spool: LogSpool,
  pods: CollectedLogs,
  trouble: Trouble,
): Promise<void> {
  const failed = (error: unknown): void => {
    if (codeOf(error) !== 'LOG_S3_CLOSED') trouble(codeOf(error), `logs of before: ${String(error)}`)
  }
  try {
    for await (const { log, complete } of spool.list())
      if (complete) pods.counted(() => finishAgain(bucket, log)).catch(failed)
  } catch (error) {
    failed(error)
  }
}

async function finishAgain(bucket: S3LogStore, log: LogRef): Promise<void> {
  const writer = await bucket.writer(log)
  try {
    await writer.finish(writer.cursor)
  } finally {
    await writer.close()
  }
}

const nameOf = ({ task, attempt, container }: LogRef): string =>
  `the log of ${task}, attempt ${attempt}${container === undefined ? '' : `, container ${container}`}`

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'LOG_TROUBLE'
