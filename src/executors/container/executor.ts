import { existsSync, mkdirSync, realpathSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { attemptPath, workspacePath } from '../../core/run/attempt-path.ts'
import type { ContainerWork } from '../../core/dag/dag.ts'
import type { Outcome } from '../../core/run/events.ts'
import type { Clock } from '../../ports/clock.ts'
import type {
  AttemptRef,
  AttemptSpec,
  Executor,
  Intended,
  Observation,
  Observe,
} from '../../ports/executor.ts'
import type { EngineProbe } from '../../ports/notices.ts'
import { eraOf, mayHaveRun } from '../era.ts'
import { codeOf } from '../error-code.ts'
import { stateIdentity } from '../state-identity.ts'
import { Attempt, type AttemptHost } from './attempt.ts'
import type { EngineUnreachable } from './client.ts'
import type { ContainerEngine, ContainerState } from './container-engine.ts'
import { imageName } from './body.ts'
import { ContainerMaker } from './create.ts'
import { removeFolder } from './remove-folder.ts'
import { ignoredOf } from './ignored.ts'
import { refOfLabels, runLabels, stateLabels } from './names.ts'
import { engineLogFile } from './place.ts'
import type { ClaimOwner } from './record.ts'
import { readEnd, readRecord } from './record.ts'

export interface ContainerExecutorOptions {
  /** Made when it is not there, for its owner only. */
  readonly stateDir: string
  readonly engine: ContainerEngine
  readonly observe: Observe
  /** This process, and whether another one lives: who has claimed a start may be gone. */
  readonly me: Omit<ClaimOwner, 'nonce'>
  readonly probe: EngineProbe
  /** Default: the machine's. */
  readonly clock?: Clock
  /** Network of the containers, such as `none` or `host`. Default: the engine's own. */
  readonly network?: string | null
  /** Files in which `docker login` and `podman login` keep credentials, the first that knows a registry counts. */
  readonly credentialFiles?: readonly string[]
  /** Sentences about how far the image of a task is. */
  readonly progress?: (message: string, run: string) => void
  /** The world failed, and is tried again. `code` is stable. */
  readonly trouble?: (code: string, message: string, run: string | null) => void
}

/**
 * Runs attempts as containers of Docker or Podman. Whether an attempt was started, as which container, and how it ended
 * is kept in its folder (`docs/adr/0006-container-start.md`), so any number of these may look after the same attempts.
 */
export const createContainerExecutor = (options: ContainerExecutorOptions): Executor =>
  new ContainerExecutor(options)

/** A container that was made and never claimed is swept after this time: whoever made it would have started it. */
const UNCLAIMED_MS_MAX = 60 * 60 * 1000

class ContainerExecutor implements Executor {
  readonly name = 'container'
  readonly era: string
  readonly #options: ContainerExecutorOptions
  readonly #stateDir: string
  readonly #state: string
  readonly #clock: Clock
  readonly #maker: ContainerMaker
  readonly #attempts = new Map<string, Attempt>()
  /** Of each run that has a workspace, an image that can remove what its tasks left there as another user. */
  readonly #images = new Map<string, string>()
  readonly #pending = new Set<Promise<void>>()
  #awaySince: number | null = null
  #closed = false

  constructor(options: ContainerExecutorOptions) {
    mkdirSync(options.stateDir, { recursive: true, mode: 0o700 })
    this.#options = options
    this.#stateDir = realpathSync(options.stateDir)
    this.#state = stateIdentity(this.#stateDir)
    this.era = eraOf('container', this.#state, options.me.bootId)
    this.#clock = options.clock ?? machineClock
    this.#maker = new ContainerMaker({
      engine: options.engine,
      stateDir: this.#stateDir,
      state: this.#state,
      network: options.network ?? null,
      credentialFiles: options.credentialFiles ?? [],
      progress: options.progress ?? (() => undefined),
    })
    this.#keep(this.#sweep())
  }

  ignores(work: ContainerWork): readonly string[] {
    return ignoredOf(work)
  }

  start(spec: AttemptSpec): void {
    if (spec.workspace && spec.work.image !== null) this.#images.set(spec.run, imageName(spec.work.image))
    this.#attempt(spec).start(spec)
  }

  async adopt(ref: AttemptRef): Promise<boolean> {
    if (readRecord(this.#folder(ref)).kind === 'none') return false
    this.#attempt(ref).adopt()
    return true
  }

  stop(intended: Intended, graceMs: number): void {
    this.#attempt(intended).stop(intended, graceMs)
  }

  /** The container goes, record and end stay until the run is removed: they hold back whoever comes late. */
  release(ref: AttemptRef): void {
    const folder = this.#folder(ref)
    const record = readRecord(folder)
    if (record.kind === 'claimed') this.#keep(this.#options.engine.remove(record.claim.container, true))
    for (const file of [
      engineLogFile(folder),
      ...['output', 'script', 'stop', 'volumes'].map(name => join(folder, name)),
    ])
      this.#keep(rm(file, { force: true, recursive: true }))
  }

  async endRun(run: string, options: { readonly removeWorkspace: boolean }): Promise<void> {
    const { engine } = this.#options
    // What cannot be removed now, because the engine is away, is swept when it is back.
    const removal = engine
      .list(runLabels(this.#state, run))
      .then(async found => void (await Promise.all(found.map(({ id }) => engine.remove(id, true)))))
    await this.#quietly(removal)
    if (options.removeWorkspace) {
      const workspace = join(this.#stateDir, workspacePath(run))
      await removeFolder(engine, workspace, this.#images.get(run) ?? null)
    }
    this.#images.delete(run)
  }

  async close(): Promise<void> {
    this.#closed = true
    const busy = [...this.#attempts.values()].map(attempt => attempt.close())
    this.#attempts.clear()
    this.#maker.close()
    await Promise.all([...busy, ...this.#pending])
  }

  #attempt(ref: AttemptRef): Attempt {
    if (this.#closed) throw new Error('the container executor is closed')
    const folder = this.#folder(ref)
    const known = this.#attempts.get(folder)
    if (known !== undefined) return known
    const { engine, probe, me } = this.#options
    const host: AttemptHost = {
      engine,
      clock: this.#clock,
      probe,
      me,
      mayHaveRun: ({ era }) => mayHaveRun(era, this.era),
      report: observation => this.#report(folder, observation),
      create: (spec, place, signal): Promise<ContainerState | Outcome> =>
        this.#maker.create(spec, place, signal),
      reached: error => this.#reached(error),
      trouble: (message, run) => this.#options.trouble?.('CONTAINER_TROUBLE', message, run),
    }
    const attempt = new Attempt(host, { run: ref.run, task: ref.task, attempt: ref.attempt }, folder)
    this.#attempts.set(folder, attempt)
    return attempt
  }

  #folder(ref: AttemptRef): string {
    if (!Number.isSafeInteger(ref.attempt) || ref.attempt < 1) throw new Error(`no attempt ${ref.attempt}`)
    return join(this.#stateDir, attemptPath(ref.run, ref.task, ref.attempt))
  }

  #report(folder: string, observation: Observation): void {
    if (observation.kind === 'ended') this.#attempts.delete(folder)
    queueMicrotask(() => {
      if (!this.#closed) this.#options.observe(observation)
    })
  }

  /** Said once when the engine goes away and once when it is back, however many attempts see it. */
  #reached(error: EngineUnreachable | null): void {
    const { engine, trouble } = this.#options
    const name = engine.dialect === 'podman' ? 'Podman' : 'Docker'
    if (error !== null && this.#awaySince === null) {
      this.#awaySince = this.#clock.now()
      const message = `${name} cannot be reached (${error.message}); runs go on by themselves when it is back`
      trouble?.(error.code, message, null)
    } else if (error === null && this.#awaySince !== null) {
      const seconds = Math.round((this.#clock.now() - this.#awaySince) / 1000)
      this.#awaySince = null
      trouble?.('CONTAINER_ENGINE_BACK', `${name} is back after ${seconds} s`, null)
    }
  }

  /** Removes containers of this state directory that nobody needs any more; those of others are never looked at. */
  async #sweep(): Promise<void> {
    const { engine } = this.#options
    for (const { id, labels, state, createdAt } of await engine.list(stateLabels(this.#state))) {
      const ref = refOfLabels(this.#state, labels)
      if (ref === null) continue
      const folder = this.#folder(ref)
      const record = readRecord(folder)
      const ended = record.kind === 'settled' || readEnd(folder) !== null || !existsSync(folder)
      const stale = record.kind === 'none' && this.#clock.now() - createdAt > UNCLAIMED_MS_MAX
      if (ended || (stale && state === 'created')) await engine.remove(id, ended)
    }
  }

  /** What fails here is done by the next sweep. */
  async #quietly(work: Promise<void>): Promise<void> {
    await work.catch((error: unknown) => {
      if (codeOf(error) === '') throw error
    })
  }

  #keep(work: Promise<void>): void {
    const settled = this.#quietly(work).finally(() => this.#pending.delete(settled))
    this.#pending.add(settled)
  }
}

const machineClock: Clock = {
  now: () => Date.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs)
    return () => clearTimeout(timer)
  },
  soon(call) {
    setImmediate(call)
  },
}
