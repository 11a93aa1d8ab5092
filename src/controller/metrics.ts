import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { poolOf, type RunState, takesSlot } from '../core/run/state.ts'
import type { Limiter } from '../kubernetes/limiter.ts'
import type { View } from '../kubernetes/reflector.ts'
import type { Notices } from '../ports/notices.ts'
import { metricNotices, snake } from './metric-notices.ts'
import { type LabelsOf, type MetricName, type MetricRow, METRICS } from './metric-table.ts'

/** What metrics are read from when somebody asks for them. */
export interface MetricSources {
  /** Runs that are driven, as they are now. */
  readonly runs?: () => readonly RunState[]
  readonly slots?: number
  readonly limiter?: Limiter
  readonly views?: () => readonly View[]
  readonly backlogs?: () => readonly Backlog[]
}

/** Work beside scheduling that may lag behind. */
export interface Backlog {
  /** `logs`, `status`, … */
  readonly queue: string
  readonly items: number
  /** Milliseconds; 0 when there is nothing. */
  readonly oldestMs: number
}

export interface MetricsOptions {
  readonly version: string
  readonly installation: string
  /** The clock of `ReflectorState.heardAt`: milliseconds that never jump. */
  readonly now: () => number
  /** Those of the process and of Node. Default true. */
  readonly processMetrics?: boolean
}

/** Increments and observations, by the names of the table. */
export interface Meters {
  readonly count: <N extends MetricName>(name: N, labels: LabelsOf<N>, by?: number) => void
  readonly observe: <N extends MetricName>(name: N, labels: LabelsOf<N>, value: number) => void
}

export interface Metrics extends Meters {
  /** To be told by the engine. */
  readonly notices: Notices
  /** Says where the rest comes from; may be called again with more. */
  from(sources: MetricSources): void
  readonly contentType: string
  text(): Promise<string>
}

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry()
  if (options.processMetrics !== false) collectDefaultMetrics({ register: registry })
  const made = makeAll(registry)
  let sources: MetricSources = {}

  const set = <N extends MetricName>(name: N, labels: LabelsOf<N>, value: number): void =>
    made.gauges.get(name)?.set(labels, value)
  const meters: Meters = {
    count: (name, labels, by = 1) => made.counters.get(name)?.inc(labels, by),
    observe: (name, labels, value) => made.histograms.get(name)?.observe(labels, value),
  }
  const { version, installation, now } = options
  set('kontroler_build_info', { version, node_version: process.version, installation }, 1)

  return {
    ...meters,
    notices: metricNotices(meters),
    from(more) {
      sources = { ...sources, ...more }
    },
    contentType: registry.contentType,
    async text() {
      for (const gauge of REFRESHED) made.gauges.get(gauge)?.reset()
      if (sources.runs !== undefined) tellRuns(sources.runs(), set)
      if (sources.slots !== undefined) set('kontroler_slots', {}, sources.slots)
      if (sources.limiter !== undefined) tellLimiter(sources.limiter, set)
      for (const { queue, items, oldestMs } of sources.backlogs?.() ?? []) {
        set('kontroler_backlog_items', { queue }, items)
        set('kontroler_backlog_oldest_seconds', { queue }, oldestMs / 1_000)
      }
      for (const name of VIEW_COUNTERS) made.counters.get(name)?.reset()
      for (const view of sources.views?.() ?? []) tellView(view, now(), set, meters)
      return await registry.metrics()
    },
  }
}

type Set = <N extends MetricName>(name: N, labels: LabelsOf<N>, value: number) => void

/** What is read anew each time, and must not show what is not there any more. */
const REFRESHED = [
  'kontroler_runs',
  'kontroler_tasks',
  'kontroler_queue_tasks',
  'kontroler_backlog_items',
  'kontroler_backlog_oldest_seconds',
  'kontroler_view_age_seconds',
  'kontroler_view_objects',
] as const
const VIEW_COUNTERS = [
  'kontroler_view_lists_total',
  'kontroler_view_streams_total',
  'kontroler_view_events_total',
] as const

function makeAll(registry: Registry) {
  const counters = new Map<string, Counter>()
  const gauges = new Map<string, Gauge>()
  const histograms = new Map<string, Histogram>()
  for (const [name, row] of Object.entries(METRICS as Readonly<Record<string, MetricRow>>)) {
    const base = { name, help: row.help, labelNames: [...row.labels], registers: [registry] }
    if (row.type === 'counter') counters.set(name, new Counter(base))
    else if (row.type === 'gauge') gauges.set(name, new Gauge(base))
    else histograms.set(name, new Histogram({ ...base, buckets: [...(row.buckets ?? [])] }))
  }
  return { counters, gauges, histograms }
}

function tellRuns(runs: readonly RunState[], set: Set): void {
  const phases = new Map<string, number>([
    ['queued', 0],
    ['running', 0],
    ['paused', 0],
  ])
  const states = new Map<string, number>()
  const queue = new Map<string, number>([['', 0]])
  let used = 0
  for (const run of runs) {
    more(phases, run.phase)
    used += run.work.slots
    for (const task of run.tasks) {
      if (task.fan !== null) continue
      more(states, snake(task.state))
      if (task.state === 'queued' && takesSlot(task)) more(queue, poolOf(run, task) ?? '')
    }
  }
  for (const [phase, count] of phases) set('kontroler_runs', { phase }, count)
  for (const [state, count] of states) set('kontroler_tasks', { state }, count)
  for (const [pool, count] of queue) set('kontroler_queue_tasks', { pool }, count)
  set('kontroler_slots_used', {}, used)
}

const more = (counts: Map<string, number>, key: string): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function tellLimiter(limiter: Limiter, set: Set): void {
  set('kontroler_api_in_flight', {}, limiter.inFlight)
  set('kontroler_api_in_flight_limit', {}, limiter.limit)
  for (const [priority, waiting] of Object.entries(limiter.waiting))
    set('kontroler_api_waiting', { priority: snake(priority) }, waiting)
}

function tellView({ name: view, state }: View, now: number, set: Set, { count }: Meters): void {
  const { heardAt, objects, lists, streams, events } = state()
  if (heardAt !== null) set('kontroler_view_age_seconds', { view }, (now - heardAt) / 1_000)
  set('kontroler_view_objects', { view }, objects)
  count('kontroler_view_lists_total', { view }, lists)
  count('kontroler_view_streams_total', { view }, streams)
  count('kontroler_view_events_total', { view }, events)
}
