import type { Store } from '../ports/store.ts'
import { API_SOURCE, type DagChanges } from './control.ts'
import type { ScheduledDag, Scheduler } from './scheduler.ts'

/** The DAGs of a machine that have schedules: those of watched files, and those that were made through the API. */
export class ScheduledDags implements DagChanges {
  readonly #scheduler: Scheduler
  #files: readonly ScheduledDag[] = []
  #own: readonly ScheduledDag[] = []
  #last: Promise<unknown> = Promise.resolve()

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  /** Whether it is one of these. */
  has(namespace: string, name: string): boolean {
    return [...this.#files, ...this.#own].some(({ dag }) => dag.namespace === namespace && dag.name === name)
  }

  /** Takes up the DAGs that were made through the API before. */
  async open(store: Store): Promise<void> {
    await this.#inTurn(async () => {
      const own = (await store.dags()).filter(({ source }) => source === API_SOURCE)
      this.#own = own.map(({ dag, hash }) => ({ dag, hash }))
    })
  }

  /** The files hold these now. One that the API made before is the file's from here on. */
  async files(dags: readonly ScheduledDag[], keep: () => Promise<void>): Promise<void> {
    await this.#inTurn(async () => {
      const own = this.#own.filter(one => !dags.some(other => isSame(one, other)))
      await this.#scheduler.replace([...dags, ...own], keep)
      this.#files = dags
      this.#own = own
    })
  }

  async put(scheduled: ScheduledDag, keep: () => Promise<void>): Promise<void> {
    await this.#inTurn(async () => {
      const own = [...this.#own.filter(one => !isSame(one, scheduled)), scheduled]
      const files = this.#files.filter(one => !isSame(one, scheduled))
      await this.#scheduler.replace([...files, ...own], keep)
      this.#files = files
      this.#own = own
    })
    await this.#scheduler.look()
  }

  async remove(namespace: string, name: string, keep: () => Promise<void>): Promise<void> {
    await this.#inTurn(async () => {
      const own = this.#own.filter(({ dag }) => dag.namespace !== namespace || dag.name !== name)
      await this.#scheduler.replace([...this.#files, ...own], keep)
      this.#own = own
    })
  }

  /** One change after the other, since each begins with what the one before left. */
  async #inTurn(change: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(change)
    this.#last = turn.catch(() => undefined)
    await turn
  }
}

function isSame({ dag: a }: ScheduledDag, { dag: b }: ScheduledDag): boolean {
  return a.namespace === b.namespace && a.name === b.name
}
