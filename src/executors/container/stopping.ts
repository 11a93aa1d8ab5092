import { noteStop, stopNotes } from '../stop-notes.ts'
import type { Clock } from '../../ports/clock.ts'
import { EngineRefused } from './client.ts'
import type { ContainerEngine, ContainerState } from './container-engine.ts'

/** Time after a start in which a signal may come before the init process listens; then it is sent again. */
const DEAF_MS = 250
const SIGNAL_AGAIN_MS = 300
/** Time until KILL is sent again, or until it is looked at what a signal has done. */
const SOON_MS = 50
/** Longest a timer may be set for. */
const DELAY_MS_MAX = 2 ** 31 - 1

/** An attempt that is to end: the image's stop signal once, KILL when the grace time is over, until it has ended. */
export class Stopping {
  readonly #engine: ContainerEngine
  readonly #folder: string
  readonly #clock: Clock
  #sentAt: number | null = null
  #repeated = false
  #late = false
  readonly #graces: (() => void)[] = []

  constructor(engine: ContainerEngine, folder: string, clock: Clock) {
    this.#engine = engine
    this.#folder = folder
    this.#clock = clock
  }

  /** Each call has a timer of its own, so the shortest grace time counts. */
  grace(graceMs: number, over: () => void): void {
    const delay = Math.min(Math.max(0, graceMs), DELAY_MS_MAX)
    const late = (): void => {
      this.#late = true
      over()
    }
    this.#graces.push(this.#clock.after(delay, late))
  }

  /** @returns When to press again; null when there is nothing to do before it ends or the grace time is over. */
  async press(state: ContainerState): Promise<number | null> {
    if (this.#late) {
      if (!stopNotes(this.#folder).includes('KILL')) noteStop(this.#folder, 'KILL')
      await this.#kill(state.id, 'SIGKILL')
      return SOON_MS
    }
    if (state.status === 'paused') await this.#engine.unpause(state.id)
    const startedAt = state.startedAt ?? 0
    const now = this.#clock.now()
    if (this.#sentAt === null) {
      // The note first: whoever finds it dead is to know why.
      if (!stopNotes(this.#folder).includes('TERM')) noteStop(this.#folder, 'TERM')
      this.#sentAt = now
      if (!(await this.#kill(state.id, state.stopSignal))) return SOON_MS
      return now - startedAt < DEAF_MS ? SIGNAL_AGAIN_MS : null
    }
    const wasDeaf = this.#sentAt - startedAt < DEAF_MS
    if (!this.#repeated && wasDeaf && now - this.#sentAt >= SIGNAL_AGAIN_MS) {
      this.#repeated = true
      if (!(await this.#kill(state.id, state.stopSignal))) return SOON_MS
    }
    return null
  }

  callOff(): void {
    for (const callOff of this.#graces) callOff()
  }

  /** False when it has ended in the meantime. */
  async #kill(id: string, signal: string): Promise<boolean> {
    try {
      await this.#engine.kill(id, signal)
      return true
    } catch (error) {
      if (!(error instanceof EngineRefused)) throw error
      return false
    }
  }
}
