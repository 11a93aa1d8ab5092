import assert from 'node:assert/strict'
import type { Json } from '../../src/core/json.ts'
import type { Outcome } from '../../src/core/run/events.ts'
import { type Pod } from '../../src/executors/pod/pod.ts'
import { podName } from '../../src/executors/pod/names.ts'
import { systemClock } from '../../src/host/clock.ts'
import type { Client } from '../../src/kubernetes/client.ts'
import { isProblem } from '../../src/kubernetes/problem.ts'
import { PODS } from '../../src/kubernetes/resource.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { AttemptRef, AttemptSpec, Observation } from '../../src/ports/executor.ts'
import { attempt, type TaskShape, Watched } from '../contracts/executor-harness.ts'
import { eventually } from './parts.ts'
import { type PodPlaceOfTest, type PodPlaceOptions, podPlace } from './pod-place.ts'

type Pending = Extract<Observation, { kind: 'pending' }>

/** A namespace in which attempts run, and what is asked about them by those who test how they end. */
export class OutcomeHouse {
  readonly client: Client
  readonly place: PodPlaceOfTest
  readonly #all: Watched[] = []
  /** Attempts whose end is durable, as a database would say it. */
  readonly ended = new Set<string>()

  constructor(client: Client, place: PodPlaceOfTest, ended: Set<string>) {
    this.client = client
    this.place = place
    this.ended = ended
  }

  /** An engine's executor; with a clock, one for which it is another time. */
  open(clock: Clock = systemClock): Watched {
    const watched = new Watched(this.place.at(clock))
    this.#all.push(watched)
    return watched
  }

  task(shape: TaskShape): AttemptSpec {
    return attempt(this.place, shape)
  }

  /** A task that sleeps, with this template. */
  held(podTemplate: Json, work: TaskShape['work'] = {}): AttemptSpec {
    return this.task({ sh: 'sleep 300', work: { podTemplate, ...work } })
  }

  async pod(ref: AttemptRef): Promise<Pod> {
    return await this.client.get<Pod>(PODS, this.placeOf(ref))
  }

  placeOf(ref: AttemptRef): { readonly namespace: string; readonly name: string } {
    return { namespace: this.place.namespace, name: podName(ref) }
  }

  async isGone(ref: AttemptRef): Promise<boolean> {
    return await this.pod(ref).then(
      () => false,
      (error: unknown) => {
        if (isProblem(error, 'notFound')) return true
        throw error
      },
    )
  }

  /** The outcome is durable, and the executor is told so. */
  recorded(watched: Watched, ref: AttemptRef): void {
    this.ended.add(idOf(ref))
    watched.executor.release(ref)
  }

  /** What holds the attempt back, once it is this. */
  async waits(watched: Watched, ref: AttemptRef, reason: Pending['reason'], text: RegExp): Promise<Pending> {
    const seen = (): Pending[] =>
      watched.seen.filter((one): one is Pending => one.kind === 'pending' && idOf(one.ref) === idOf(ref))
    const found = (): Pending | undefined =>
      seen().find(one => one.reason === reason && text.test(one.message ?? ''))
    const why = (): string => JSON.stringify(watched.seen.filter(one => idOf(one.ref) === idOf(ref)))
    await eventually(`${ref.task} waits: ${reason}`, () => found() !== undefined, why)
    const is = found()
    assert.ok(is)
    return is
  }

  /** It is deleted as a person does it. */
  delete(ref: AttemptRef, gracePeriodSeconds?: number): Promise<unknown> {
    const grace = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }
    return this.client.remove(PODS, this.placeOf(ref), grace)
  }

  async evict(ref: AttemptRef): Promise<void> {
    const { namespace, name } = this.placeOf(ref)
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } }
    await this.client.createBelow(PODS, { namespace, name }, 'eviction', body)
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map(watched => watched.executor.close()))
    await this.place.remove()
  }
}

export async function outcomeHouse(client: Client, options: PodPlaceOptions = {}): Promise<OutcomeHouse> {
  const ended = new Set<string>()
  const place = await podPlace(client, {
    standing: async ref => (ended.has(idOf(ref)) ? 'ended' : 'live'),
    ...options,
  })
  return new OutcomeHouse(client, place, ended)
}

/** `kind REASON exitCode`. */
export const said = ({ kind, reason, exitCode }: Outcome): string => `${kind} ${reason} ${exitCode}`

/** A clock that is ahead of all others: what is waited for some minutes has been waited for. */
export const ahead = (ms: number): Clock => ({ ...systemClock, now: () => systemClock.now() + ms })

/** A clock for which everything takes a fraction of its time. */
export function hasty(times: number): Clock {
  const begun = systemClock.now()
  return {
    ...systemClock,
    now: () => begun + (systemClock.now() - begun) * times,
    after: (ms, call) => systemClock.after(ms / times, call),
  }
}

const idOf = ({ run, task, attempt: number }: AttemptRef): string => `${run}/${task}/${number}`
