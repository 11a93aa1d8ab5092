import { outgoingOf } from '../core/webhook/outgoing.ts'
import type { RunState } from '../core/run/state.ts'
import type { Engine } from '../engine/engine.ts'
import type { Notifier } from './notify.ts'
import type { Environment } from './settings.ts'

/** A notifier that is loaded with the first run that anybody is to be told of: most commands need none. */
export class NotifierOnDemand {
  readonly #environment: Environment
  readonly #say: (text: string) => void
  readonly #runs = new Set<string>()
  #engine: Engine | null = null
  #opened: Promise<Notifier> | null = null

  constructor(environment: Environment, say: (text: string) => void) {
    this.#environment = environment
    this.#say = say
  }

  open(engine: Engine): void {
    this.#engine = engine
    if (this.#runs.size > 0) this.#load(engine)
  }

  seen(state: RunState): void {
    const { run } = state.created
    if (this.#runs.has(run) || outgoingOf(state.dag) === null) return
    this.#runs.add(run)
    if (this.#engine !== null) this.#load(this.#engine)
  }

  /** What its receivers have not taken within bounds stays, and is said. */
  async flush(): Promise<void> {
    const notifier = await this.#opened?.catch((error: unknown) => {
      // The run is over and stays as it ended; its messages are in the feed, and made by the next process.
      this.#say(`warning: webhooks are not called: ${error instanceof Error ? error.message : String(error)}`)
      return null
    })
    const left = (await notifier?.flush([...this.#runs])) ?? 0
    if (left === 0) return
    const what = left === 1 ? 'a message of a webhook was' : `${left} messages of webhooks were`
    this.#say(
      `note: ${what} not taken; kontroler dev sends them again, and so does the next run with a webhook`,
    )
  }

  async close(): Promise<void> {
    const notifier = await this.#opened?.catch(() => null)
    await notifier?.close()
  }

  #load(engine: Engine): void {
    this.#opened ??= import('./notify.ts').then(({ openNotifier }) =>
      openNotifier(engine, this.#environment, this.#say),
    )
    // It may fail before anybody waits for it.
    this.#opened.catch(() => undefined)
  }
}
