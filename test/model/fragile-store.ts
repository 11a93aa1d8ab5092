import { type Store, StoreError, type StoreErrorCode } from '../../src/ports/store.ts'

export type Method = keyof Store

/** What a test does to one call: nothing, lets it wait, or has it fail before or after it took effect. */
export type Fault = StoreErrorCode | { readonly afterwards: StoreErrorCode } | Error | null

/** A store in front of a real one, whose calls a test can count, hold up and let fail; a killed engine's never return. */
export interface FragileStore {
  readonly store: Store
  /** Calls under way. */
  readonly pending: () => number
  /** Asked before each call. */
  fault: (method: Method, args: readonly unknown[]) => Fault | Promise<Fault>
  /** Holds the next call of this method up, before or after it takes effect. */
  hold(method: Method, when: 'before' | 'after'): Held
  kill(): void
}

export interface Held {
  /** The call has come this far. */
  readonly reached: Promise<void>
  release(): void
}

interface Hold extends Held {
  readonly method: Method
  readonly when: 'before' | 'after'
  arrive(): Promise<void>
}

export function fragile(real: Store): FragileStore {
  let under = 0
  let dead = false
  const holds: Hold[] = []
  const held = async (method: Method, when: 'before' | 'after'): Promise<void> => {
    const at = holds.findIndex(hold => hold.method === method && hold.when === when)
    const [hold] = at < 0 ? [] : holds.splice(at, 1)
    if (hold === undefined) return
    under -= 1
    await hold.arrive()
    under += 1
  }
  const self: FragileStore = {
    store: new Proxy(real, {
      get(target, name) {
        const method = Reflect.get(target, name)
        // A hint asks nothing of the database.
        if (name === 'onChange') return () => () => undefined
        if (typeof method !== 'function') return method
        return (...args: unknown[]) => call(name as Method, () => Reflect.apply(method, target, args), args)
      },
    }),
    pending: () => under,
    fault: () => null,
    hold: (method, when) => {
      const reached = Promise.withResolvers<void>()
      const released = Promise.withResolvers<void>()
      const hold: Hold = {
        method,
        when,
        reached: reached.promise,
        release: () => released.resolve(),
        arrive: () => {
          reached.resolve()
          return released.promise
        },
      }
      holds.push(hold)
      return hold
    },
    kill: () => {
      dead = true
    },
  }
  const call = async (name: Method, work: () => unknown, args: readonly unknown[]): Promise<unknown> => {
    if (dead) return await new Promise(() => undefined)
    under += 1
    try {
      await held(name, 'before')
      const fault = await self.fault(name, args)
      if (fault instanceof Error) throw fault
      if (typeof fault === 'string') throw new StoreError(fault, `${name}: made to fail`)
      const answer = await work()
      if (fault !== null) throw new StoreError(fault.afterwards, `${name}: made to fail afterwards`)
      await held(name, 'after')
      if (dead) return await new Promise(() => undefined)
      return answer
    } finally {
      under -= 1
    }
  }
  return self
}
