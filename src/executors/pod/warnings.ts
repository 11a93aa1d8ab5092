import type { Outcome } from '../../core/run/events.ts'
import { type PodEvent, type Told, toldBy } from './events.ts'
import { begunAt, CONFIG_MS, type Held } from './pending.ts'
import { conditionOf, type Pod } from './pod.ts'

/** Warnings of a pod that are kept for the message of its end: the latest of each kind. */
const KEPT_MAX = 3
/** How a cluster is set up; said of every pod, and never why one ended. */
const BESIDE_THE_POINT: ReadonlySet<string> = new Set(['MissingClusterDNS', 'DNSConfigForming'])
const TEXT_MAX = 400

/**
 * The Warnings of one attempt's pod: why it waits where its status is silent, and what to add to an end that nobody
 * understands without them. Events are forgotten by the cluster after an hour; what counts of them is copied from here.
 */
export class Warnings {
  readonly #latest = new Map<string, string>()
  #told: { readonly told: Told; readonly of: string; readonly at: number } | null = null

  /** @returns Whether it says something new. */
  take(event: PodEvent, now: number): boolean {
    const { reason = '', message = '' } = event
    if (BESIDE_THE_POINT.has(reason)) return false
    const text = message.length > TEXT_MAX ? `${message.slice(0, TEXT_MAX - 1)}…` : message
    const before = this.#latest.get(reason)
    // The same again, but for a number in it, is no news: kubelets try for hours.
    if (before !== undefined && shape(before) === shape(text)) return false
    this.#latest.delete(reason)
    this.#latest.set(reason, text)
    for (const oldest of this.#latest.keys()) if (this.#latest.size > KEPT_MAX) this.#latest.delete(oldest)
    const told = toldBy({ ...event, message: text })
    if (told !== null) this.#told = { told, of: reason, at: now }
    return true
  }

  /** What holds the pod back, as far as Events still tell it; null when they do not. */
  heldBack(pod: Pod): Held | null {
    if (this.#told === null || !isStillSo(pod, this.#told.of)) return null
    const { told, at } = this.#told
    const since = begunAt(pod) ?? at
    return {
      why: told.why,
      giveUp: told.outcome === null ? null : { at: since + CONFIG_MS, outcome: told.outcome },
    }
  }

  /** Its fence is not there: no pod that mounts it starts any more. */
  get isFenceGone(): boolean {
    return this.#told?.told.isFenceGone === true
  }

  /** The outcome with the Warnings that it does not tell already; what the task itself did needs none. */
  added(outcome: Outcome): Outcome {
    if (!NEEDS_WHY.has(outcome.kind)) return outcome
    const said = outcome.message ?? ''
    const more = [...this.#latest].flatMap(([reason, text]) =>
      said.includes(text) ? [] : [`${reason}: ${text}`],
    )
    if (more.length === 0) return outcome
    return { ...outcome, message: [said, ...more].filter(part => part !== '').join('; ') }
  }
}

const NEEDS_WHY: ReadonlySet<Outcome['kind']> = new Set([
  'disrupted',
  'lost',
  'startError',
  'imageError',
  'configError',
])

/** An Event says what was; whether it still is, the pod's status says. */
function isStillSo(pod: Pod, reason: string): boolean {
  const isPlaced = pod.spec.nodeName !== undefined
  if (reason === 'FailedScheduling') return !isPlaced
  if (!isPlaced) return false
  if (pod.status?.initContainerStatuses?.some(({ state }) => state?.running !== undefined)) return false
  // From here on its volumes are mounted and its sandbox stands.
  const isReady = conditionOf(pod, 'PodReadyToStartContainers')?.status === 'True'
  return reason === 'Failed' || reason === 'BackOff' ? isReady : !isReady
}

const shape = (text: string): string => text.replace(/[0-9a-f]{8,}|\d+/gu, '#')
