import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFilesystemLogs } from '../../src/archives/filesystem/logs.ts'
import type { PodLogs } from '../../src/executors/pod/cluster-logs.ts'
import type { Outcome } from '../../src/core/run/events.ts'
import { openPodExecutor, type PodExecutorOptions } from '../../src/executors/pod/executor.ts'
import type { Client } from '../../src/kubernetes/client.ts'
import { NAMESPACES, type Resource } from '../../src/kubernetes/resource.ts'
import type { AttemptRef, Executor } from '../../src/ports/executor.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { LogArchive } from '../../src/ports/logs.ts'
import { systemClock } from '../../src/host/clock.ts'
import { type Logs, type LogsOptions, openLogs } from '../../src/main/logs.ts'
import type { ExecutorHarness } from '../contracts/executor-harness.ts'

const VOLUMES: Resource = {
  group: '',
  version: 'v1',
  plural: 'persistentvolumes',
  kind: 'PersistentVolume',
  namespaced: false,
}
/** Claims that a test may make one after the other. */
const VOLUMES_OF_TEST = 2

export interface PodPlaceOptions
  extends Partial<Pick<PodExecutorOptions, 'erasInUse' | 'standing' | 'fences' | 'trouble'>> {
  /** Labels of the namespace. */
  readonly labels?: Readonly<Record<string, string>>
}

export interface PodPlaceOfTest extends ExecutorHarness {
  readonly namespace: string
  readonly installation: string
  /** The same place, for whom it is another time. */
  at(clock: Clock): ExecutorHarness
}

/** A namespace of its own with volumes of its own, for pods of this cluster. */
export async function podPlace(client: Client, options: PodPlaceOptions = {}): Promise<PodPlaceOfTest> {
  const id = randomBytes(4).toString('hex')
  const namespace = `pods-${id}`
  const { labels = {}, ...settings } = options
  await client.create(NAMESPACES, undefined, { metadata: { name: namespace, labels } })
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-pods-'))
  // Pods of any user look into it.
  await chmod(folder, 0o755)
  const volumes = await Promise.all(
    Array.from({ length: VOLUMES_OF_TEST }, (_, index) =>
      makeVolume(client, `${namespace}-${index}`, folder),
    ),
  )
  const logs = new PlaceLogs({ client, stateDir: folder, installation: `test-${id}` })
  const opened: Promise<Executor>[] = []
  const installation = `test-${id}`
  const opens =
    (clock: Clock): ExecutorHarness['open'] =>
    observe => {
      const openWith = (pods: PodLogs): Promise<Executor> =>
        openPodExecutor({
          client,
          installation,
          namespaces: [namespace],
          observe: observation => {
            if (observation.kind === 'ended') logs.expect(observation.ref, observation.outcome)
            observe(observation)
          },
          clock,
          logs: pods,
          erasInUse: async () => null,
          standing: async () => 'live',
          stopGraceMs: 2_000,
          ...settings,
        })
      const opening = logs.pods().then(openWith)
      opened.push(opening)
      return later(opening)
    }
  const harness = {
    image: 'busybox:1.36',
    workdir: '/',
    namespace,
    installation,
    workspaceClaim: {
      storageClassName: namespace,
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
    },
    logs: logs.archive(),
    open: opens(systemClock),
    leftovers: () => [],
    async remove() {
      for (const opening of opened) await (await opening).close()
      await logs.close()
      await client.remove(NAMESPACES, { name: namespace })
      await Promise.all(volumes.map(name => client.remove(VOLUMES, { name })))
      await rm(folder, { recursive: true, force: true })
    },
  }
  return { ...harness, at: clock => ({ ...harness, open: opens(clock) }) }
}

/** There is no provisioner: a volume of the class that only this namespace asks for. */
async function makeVolume(client: Client, name: string, folder: string): Promise<string> {
  const path = join(folder, name)
  await mkdir(path)
  await chmod(path, 0o777)
  await client.create(VOLUMES, undefined, {
    metadata: { name },
    spec: {
      storageClassName: name.replace(/-\d+$/u, ''),
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path },
    },
  })
  return name
}

/** The logs of a place. They go on when an executor is closed, as the next one would have them go on. */
class PlaceLogs {
  readonly #options: Omit<LogsOptions, 'logs' | 'clock' | 'random' | 'trouble'>
  #logs: Promise<Logs> | null = null
  readonly #ended = new Map<string, PromiseWithResolvers<void>>()
  readonly #watched = new Set<string>()

  constructor(options: Omit<LogsOptions, 'logs' | 'clock' | 'random' | 'trouble'>) {
    this.#options = options
  }

  async pods(): Promise<PodLogs> {
    const { pods } = await this.#open()
    return {
      ...pods,
      ended: pod => {
        const ended = pods.ended(pod)
        this.#expected(pod.attempt).resolve(ended.catch(() => undefined))
        return ended
      },
      close: async () => undefined,
    }
  }

  /** What has left with a code of its own has a log: whoever reads it waits for it, also before it is under way. */
  expect(ref: AttemptRef, { exitCode }: Outcome): void {
    if (exitCode !== null) this.#expected(ref)
  }

  async close(): Promise<void> {
    await (await this.#logs)?.close()
  }

  #expected(ref: AttemptRef): PromiseWithResolvers<void> {
    const known = this.#ended.get(keyOf(ref)) ?? Promise.withResolvers<void>()
    this.#ended.set(keyOf(ref), known)
    return known
  }

  #open(): Promise<Logs> {
    return (this.#logs ??= openLogs({
      ...this.#options,
      logs: { kind: 'files', maxBytes: 1024 ** 3 },
      clock: systemClock,
      random: Math.random,
      trouble: (code, message) => process.stderr.write(`${code} ${message}\n`),
    }))
  }

  /** Whoever reads the log of a running task watches it, and one that has ended is there as soon as it is whole. */
  archive(): LogArchive {
    const files = createFilesystemLogs(this.#options.stateDir)
    return {
      read: async (ref, offset, bytesMax) => {
        await this.#whole(ref)
        return await files.read(ref, offset, bytesMax)
      },
      size: async ref => {
        await this.#whole(ref)
        return await files.size(ref)
      },
      containers: attempt => files.containers(attempt),
      remove: async run => await (await this.#open()).archive.remove(run),
    }
  }

  async #whole(ref: AttemptRef): Promise<void> {
    if (!this.#watched.has(keyOf(ref))) {
      this.#watched.add(keyOf(ref))
      const logs = await this.#open()
      logs.watch(ref)
    }
    await this.#ended.get(keyOf(ref))?.promise
  }
}

const keyOf = (ref: AttemptRef): string => `${ref.run}/${ref.task}/${ref.attempt}`

/** The contract opens an executor without waiting for it. */
function later(opening: Promise<Executor>): Executor {
  const then = (work: (executor: Executor) => void): void => {
    opening.then(work).catch((error: unknown) => {
      throw error
    })
  }
  return {
    name: 'pod',
    byReference: true,
    ignores: () => [],
    start: spec => then(executor => executor.start(spec)),
    adopt: async ref => await (await opening).adopt(ref),
    stop: (ref, graceMs) => then(executor => executor.stop(ref, graceMs)),
    release: ref => then(executor => executor.release(ref)),
    endRun: async (run, options) => await (await opening).endRun(run, options),
    close: async () => await (await opening).close(),
  }
}
