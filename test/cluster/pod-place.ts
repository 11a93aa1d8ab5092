import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createFilesystemLogs } from '../../src/archives/filesystem/logs.ts'
import { attemptPath } from '../../src/core/run/attempt-path.ts'
import type { PodLogs } from '../../src/executors/pod/cluster-logs.ts'
import { openPodExecutor, type PodExecutorOptions } from '../../src/executors/pod/executor.ts'
import type { PodPlace } from '../../src/executors/pod/names.ts'
import type { Client } from '../../src/kubernetes/client.ts'
import { isProblem } from '../../src/kubernetes/problem.ts'
import { NAMESPACES, type Resource } from '../../src/kubernetes/resource.ts'
import type { AttemptRef, Executor } from '../../src/ports/executor.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { LogArchive } from '../../src/ports/logs.ts'
import { systemClock } from '../../src/host/clock.ts'
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
  const logs = new DirectLogs(client, folder)
  const opened: Promise<Executor>[] = []
  const installation = `test-${id}`
  const opens =
    (clock: Clock): ExecutorHarness['open'] =>
    observe => {
      const opening = openPodExecutor({
        client,
        installation,
        namespaces: [namespace],
        observe,
        clock,
        logs,
        erasInUse: async () => null,
        standing: async () => 'live',
        stopGraceMs: 2_000,
        ...settings,
      })
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

/** Logs read whole from the API server, each time anew. */
class DirectLogs implements PodLogs {
  readonly #client: Client
  readonly #folder: string
  readonly #pods = new Map<string, PodPlace>()
  readonly #whole = new Set<string>()
  readonly #removed = new Set<string>()

  constructor(client: Client, folder: string) {
    this.#client = client
    this.#folder = folder
  }

  running(ref: AttemptRef, pod: PodPlace): void {
    this.#pods.set(keyOf(ref), pod)
  }

  async ended(ref: AttemptRef, pod: PodPlace): Promise<void> {
    this.#pods.set(keyOf(ref), pod)
    await this.#fetch(ref)
    this.#whole.add(keyOf(ref))
  }

  async isComplete(ref: AttemptRef): Promise<boolean> {
    return this.#whole.has(keyOf(ref))
  }

  async close(): Promise<void> {}

  archive(): LogArchive {
    const files = createFilesystemLogs(this.#folder)
    return {
      read: async (ref, offset, bytesMax) => {
        await this.#fetch(ref)
        return await files.read(ref, offset, bytesMax)
      },
      size: async ref => {
        await this.#fetch(ref)
        return await files.size(ref)
      },
      containers: attempt => files.containers(attempt),
      remove: async run => {
        this.#removed.add(run)
        await files.remove(run)
      },
    }
  }

  async #fetch(ref: AttemptRef): Promise<void> {
    const pod = this.#pods.get(keyOf(ref))
    if (pod === undefined || this.#whole.has(keyOf(ref)) || this.#removed.has(ref.run)) return
    const parts: Buffer[] = []
    try {
      const answer = await this.#client.logs(pod, {})
      for await (const part of answer.body) parts.push(part as Buffer)
    } catch (error) {
      // A pod whose container never started has none.
      if (!isProblem(error)) throw error
      return
    }
    const file = join(this.#folder, attemptPath(ref.run, ref.task, ref.attempt), 'log')
    if (this.#removed.has(ref.run)) return
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, Buffer.concat(parts))
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
