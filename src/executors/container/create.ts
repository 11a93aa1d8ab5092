import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Outcome } from '../../core/run/events.ts'
import type { AttemptSpec } from '../../ports/executor.ts'
import { createBody, imageName } from './body.ts'
import { EngineRefused } from './client.ts'
import type { ContainerEngine, ContainerState } from './container-engine.ts'
import { credentialsFor, ImageError, pullImage } from './image.ts'
import { ownLimits } from './limits.ts'
import { containerName, refOfLabels } from './names.ts'
import { imageError, refusal } from './outcome.ts'
import { makeFiles } from './place.ts'
import type { PullPolicy } from './pod-template.ts'
import { readTemplate } from './pod-template.ts'

export interface MakerOptions {
  readonly engine: ContainerEngine
  readonly stateDir: string
  readonly state: string
  readonly network: string | null
  readonly credentialFiles: readonly string[]
  readonly progress: (message: string, run: string) => void
}

/** Rounds of create while another engine's container of the same name is about to be there, and the time between. */
const ROUNDS_MAX = 500
const ROUND_MS = 20
/** Rounds after which an error of the engine itself is believed; Podman reports a name that is being taken as one. */
const ERRORS_MAX = 100

/** Makes containers that are not started. Doing so twice gives the same one, and a container by itself does nothing. */
export class ContainerMaker {
  readonly #options: MakerOptions
  /** Images on their way: tasks that need the same one share the pull. */
  readonly #pulls = new Map<string, Promise<void>>()
  readonly #over = new AbortController()
  #init = true

  constructor(options: MakerOptions) {
    this.#options = options
  }

  /**
   * @throws {EngineRefused} The engine would not make it, in its own words.
   * @throws {EngineUnreachable}
   * @throws {ImageError}
   */
  async create(spec: AttemptSpec, folder: string, signal: AbortSignal): Promise<ContainerState | Outcome> {
    const { settings, problem } = readTemplate(spec.work)
    const why = problem ?? whyNot(spec)
    if (why !== null) return refusal('CONFIG_ERROR', why)
    const files = makeFiles(spec, folder, this.#options.stateDir, settings)
    const { engine, state } = this.#options
    if (settings.pullPolicy === 'Always') await this.#pull(spec, signal)
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      signal.throwIfAborted()
      const body = createBody(spec, settings, files, this.#surroundings())
      try {
        return made(await engine.create(containerName(state, spec), body))
      } catch (error) {
        const outcome = await this.#refused(error, round, spec, settings.pullPolicy, signal)
        if (outcome !== null) return outcome
      }
    }
    return refusal('CONFIG_ERROR', 'its container could not be made: its name comes and goes')
  }

  /** Nobody waits for images any more. */
  close(): void {
    this.#over.abort()
  }

  /** Null when it is worth another try. */
  async #refused(
    error: unknown,
    round: number,
    spec: AttemptSpec,
    policy: PullPolicy,
    signal: AbortSignal,
  ): Promise<ContainerState | Outcome | null> {
    if (!(error instanceof EngineRefused)) throw error
    if (this.#init && /init binary|docker-init|catatonit/u.test(error.message)) {
      this.#init = false
      return null
    }
    const { engine, state } = this.#options
    const found = await engine.inspect(containerName(state, spec))
    if (found !== null) return isOf(found, state, spec) ? found : this.#taken(spec)
    if (error.status === 409 || (error.status >= 500 && round < ERRORS_MAX)) return await pause(signal)
    if (error.status !== 404) throw error
    if (policy === 'Never') return imageError(`${spec.work.image} is not there, and imagePullPolicy is Never`)
    await this.#pull(spec, signal)
    return null
  }

  #taken(spec: AttemptSpec): Outcome {
    const name = containerName(this.#options.state, spec)
    return refusal(
      'CONFIG_ERROR',
      `the name of its container, ${name}, is taken by a container of somebody else`,
    )
  }

  async #pull(spec: AttemptSpec, signal: AbortSignal): Promise<void> {
    const { engine, credentialFiles, progress } = this.#options
    const image = imageName(spec.work.image ?? '')
    let pull = this.#pulls.get(image)
    if (pull === undefined) {
      const credentials = credentialsFor(image, credentialFiles)
      const say = (message: string): void => progress(message, spec.run)
      pull = pullImage(engine, image, credentials, say, this.#over.signal)
        .catch((error: unknown) => {
          // Denied, unknown, registry down: a refusal of the pull is always about the image.
          throw error instanceof EngineRefused ? new ImageError(error.message) : error
        })
        .finally(() => this.#pulls.delete(image))
      this.#pulls.set(image, pull)
    }
    // An attempt that is stopped does not wait for it; others may.
    await orAborted(pull, signal)
  }

  #surroundings() {
    const { engine, network, state } = this.#options
    return {
      state,
      dialect: engine.dialect,
      network,
      init: this.#init,
      labelled: existsSync('/sys/fs/selinux/enforce'),
      limits: engine.dialect === 'podman' ? ownLimits() : [],
    }
  }
}

function whyNot(spec: AttemptSpec): string | null {
  const { work, env } = spec
  if (work.image === null || work.image === '') return 'the task has no image'
  for (const { name, value } of env) {
    if (name === '' || /[=\0]/u.test(name)) return `${JSON.stringify(name)} cannot be the name of a variable`
    if (value.includes('\0')) return `the variable ${name} holds a NUL character`
  }
  const argv = [...work.command, ...work.args]
  return argv.some(argument => argument.includes('\0')) ? 'an argument holds a NUL character' : null
}

function isOf({ labels }: ContainerState, state: string, spec: AttemptSpec): boolean {
  const ref = refOfLabels(state, labels)
  return ref !== null && ref.run === spec.run && ref.task === spec.task && ref.attempt === spec.attempt
}

/** What is known of a container that was made just now. */
const made = (id: string): ContainerState => ({
  id,
  labels: {},
  status: 'created',
  pid: 0,
  exitCode: 0,
  oomKilled: false,
  error: '',
  startedAt: null,
  finishedAt: null,
  memoryBytes: null,
  command: '',
  stopSignal: 'SIGTERM',
})

const pause = async (signal: AbortSignal): Promise<null> => {
  await delay(ROUND_MS, undefined, { signal })
  return null
}

function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    signal.addEventListener('abort', aborted, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
    if (signal.aborted) aborted()
  })
}
