import { existsSync } from 'node:fs'
import type { Clock } from '../../ports/clock.ts'
import type { ContainerEngine, ContainerState } from './container-engine.ts'
import { LogFile } from './log-file.ts'
import { apiLog, ENDED, fileLog, type LogSource } from './log-source.ts'
import { engineLogFile } from './place.ts'

/** How often a container of Podman is looked at: its own `wait` looks only now and then. */
const POLL_MS_MIN = 2
const POLL_MS_MAX = 100
/** How long a log may take to be closed after the end of its container. */
const CLOSING_MS_MAX = 10_000

/** Follows one container that was started: its log while it grows, and its end. */
export class ContainerWatch {
  readonly #engine: ContainerEngine
  readonly #id: string
  readonly #folder: string
  readonly #clock: Clock
  readonly #source: LogSource
  readonly #over = new AbortController()
  #log: LogFile | null = null
  #following: Promise<boolean> | null = null
  #waiting = false

  constructor(engine: ContainerEngine, id: string, folder: string, clock: Clock) {
    this.#engine = engine
    this.#id = id
    this.#folder = folder
    this.#clock = clock
    this.#source = engine.dialect === 'podman' ? fileLog(engineLogFile(folder)) : apiLog(engine, id)
  }

  /** Sees to it that the log is followed, and that `look` is called when something is over or has broken off. */
  async running(state: ContainerState, look: () => void): Promise<void> {
    this.#log ??= await LogFile.open(this.#folder)
    this.#following ??= this.#follow(this.#log)
    if (this.#waiting) return
    this.#waiting = true
    this.#end(state)
      .catch(() => undefined)
      .finally(() => {
        this.#waiting = false
        if (!this.#over.signal.aborted) look()
      })
  }

  /**
   * Copies what is missing of the log. When this returns all of it is on the disk. Docker's stream is read a
   * second time from the start, since it may close before its last frame; what was written is passed over.
   */
  async complete(): Promise<void> {
    const whole = await this.#followed()
    const log = (this.#log ??= await LogFile.open(this.#folder))
    if (!whole || this.#engine.dialect === 'docker')
      await this.#source.copy(log, new AbortController().signal)
    await log.sync()
  }

  async close(): Promise<void> {
    this.#over.abort()
    await this.#following?.catch(() => undefined)
    await this.#log?.close()
    this.#log = null
  }

  /** Whether the log was followed to its end. */
  async #followed(): Promise<boolean> {
    if (this.#following === null) return false
    // A file does not say that it will not grow any more; a stream of the engine does, if all is well.
    if (this.#engine.dialect === 'podman') this.#over.abort(ENDED)
    const callOff = this.#clock.after(CLOSING_MS_MAX, () => this.#over.abort())
    const whole = await this.#following
    callOff()
    return whole
  }

  async #follow(log: LogFile): Promise<boolean> {
    const { signal } = this.#over
    // What could not be read or written now is copied at the end.
    const whole = await this.#source.follow(log, signal).catch(() => false)
    if (!whole && !signal.aborted) this.#following = null
    return whole
  }

  async #end(state: ContainerState): Promise<void> {
    const { signal } = this.#over
    if (this.#engine.dialect === 'docker') return this.#engine.waitForEnd(this.#id, signal)
    const process = `/proc/${state.pid}`
    // Where the engine is in a machine of its own, its processes are not to be seen here.
    const visible = state.pid > 0 && existsSync(process)
    for (let delayMs = POLL_MS_MIN; !signal.aborted; delayMs = Math.min(POLL_MS_MAX, delayMs * 2)) {
      await new Promise<void>(resolve => this.#clock.after(delayMs, resolve))
      if (!visible || !existsSync(process)) return
    }
  }
}
