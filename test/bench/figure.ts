/** One measured figure and what was asked of it. Every group of the benchmark gives a list of these. */
export interface Figure {
  /** One word or several joined by dashes: `chain-100/floor`. */
  readonly name: string
  readonly value: number
  /** `×`, `ms`, `/s`; empty for a plain number. */
  readonly unit: string
  /** What the value is held to; null for a figure that is only told. */
  readonly goal: Goal | null
  /** Null when there is no goal. */
  readonly pass: boolean | null
  /** How it was measured, its spread, or why there is none. One line. */
  readonly detail: string
}

export interface Goal {
  readonly is: '≤' | '≥'
  readonly value: number
}

/** What a module of the benchmark (`local.ts`, `store.ts`, `containers.ts`) exports as `figures`. */
export type Figures = (options: BenchOptions) => Promise<readonly Figure[]>

export interface BenchOptions {
  /** Rounds that count; round 0 is thrown away. */
  readonly rounds: number
  /** Only figures whose name holds this text; empty for all. */
  readonly only: string
  /** Says what is going on, for whoever waits. */
  readonly say: (text: string) => void
}

export const atMost = (value: number): Goal => ({ is: '≤', value })
export const atLeast = (value: number): Goal => ({ is: '≥', value })

/** Holds samples, one of each round, against a goal: the median counts, the spread is told. */
export function figureOf(
  name: string,
  samples: readonly number[],
  unit: string,
  goal: Goal | null,
  detail = '',
): Figure {
  if (samples.length === 0) return missing(name, unit, goal, detail === '' ? 'not measured' : detail)
  const value = median(samples)
  const spread = `${short(Math.min(...samples))}–${short(Math.max(...samples))} in ${samples.length} rounds`
  return {
    name,
    value,
    unit,
    goal,
    pass: passes(value, goal),
    detail: detail === '' ? spread : `${spread}; ${detail}`,
  }
}

/** A figure that could not be measured here, and why. A goal that nobody could look at is not reached. */
export function missing(name: string, unit: string, goal: Goal | null, why: string): Figure {
  return { name, value: Number.NaN, unit, goal, pass: goal === null ? null : false, detail: why }
}

/** `name value goal pass|fail`, the detail behind it. */
export function line({ name, value, unit, goal, pass, detail }: Figure): string {
  const held = pass === null ? '-' : pass ? 'pass' : 'fail'
  const wanted = goal === null ? '-' : `${goal.is}${short(goal.value)}${unit}`
  return `${name.padEnd(34)} ${shown(value, unit).padStart(10)} ${wanted.padStart(9)} ${held.padEnd(4)}  ${detail}`
}

/** The same figures as rows of a page. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, goal, pass, detail }) => {
    const wanted = goal === null ? '' : `${goal.is} ${short(goal.value)} ${unit}`.trimEnd()
    const held = pass === null ? '' : pass ? 'pass' : '**fail**'
    return `| ${[name, shown(value, unit), wanted, held, detail].map(cell).join(' | ')} |`
  })
  return ['| figure | value | goal | | detail |', '| --- | ---: | ---: | --- | --- |', ...rows].join('\n')
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

/** Three digits are all that a busy machine is good for. */
export function short(value: number): string {
  if (Number.isNaN(value)) return '?'
  return String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)))
}

function passes(value: number, goal: Goal | null): boolean | null {
  if (goal === null) return null
  return goal.is === '≤' ? value <= goal.value : value >= goal.value
}

const shown = (value: number, unit: string): string =>
  Number.isNaN(value) ? '?' : `${short(value)}${unit === '' || unit === '×' ? unit : ` ${unit}`}`
const cell = (text: string): string => text.replaceAll('|', '\\|')
