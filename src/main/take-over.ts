import type { Engine } from '../engine/engine.ts'
import { interruptedRuns } from '../engine/interrupted.ts'

const LOOK_MS = 5_000

export interface TakeOver {
  close(): Promise<void>
}

/** Runs whose engine has died, or has let go of them, are driven by this one: those there are, and those to come. */
export async function startTakeOver(
  engine: Engine,
  trouble: (code: string, message: string) => void,
): Promise<TakeOver> {
  const { store, clock, probe } = engine.parts
  let closed = false
  let callOff = (): void => undefined
  let looking = Promise.resolve()

  async function look(): Promise<void> {
    try {
      for (const { id, owner } of await interruptedRuns(store, probe)) {
        if (closed) return
        // One that cannot be read is told of, and does not keep the others waiting.
        await engine.adopt(id, owner).catch((error: unknown) => engine.trouble(error, id))
      }
      await forgetDeadEngines(engine)
    } catch (error) {
      trouble('RUNS_NOT_TAKEN_OVER', error instanceof Error ? error.message : String(error))
    }
  }

  function later(): void {
    if (closed) return
    callOff = clock.after(LOOK_MS, () => {
      looking = look().then(later)
    })
  }

  await look()
  later()
  return {
    async close() {
      closed = true
      callOff()
      await looking
    },
  }
}

/** Those that were killed could not sign off. A run whose owner is unknown counts as left. */
async function forgetDeadEngines({ parts: { store, probe } }: Engine): Promise<void> {
  const owners = new Set((await store.unsettled()).map(({ owner }) => owner))
  const dead = (await store.engines()).filter(engine => !probe.isAlive(engine) && !owners.has(engine.id))
  await Promise.all(dead.map(({ id }) => store.removeEngine(id)))
}
