const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/**
 * A quantity as Kubernetes writes it; null when it is none.
 *
 * @example parseQuantity('250m') → 0.25
 * @example parseQuantity('64Mi') → 67108864
 */
export function parseQuantity(value: unknown): number | null {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return null
  const found = /^([+-]?(?:\d+\.?\d*|\.\d+))(e[+-]?\d+|E[+-]?\d+|[KMGTPE]i|[numkMGTPE]?)$/u.exec(value.trim())
  if (found === null) return null
  const [, digits = '', unit = ''] = found
  if (/^[eE][+-]?\d/u.test(unit)) return Number(digits + unit)
  return Number(digits) * (FACTORS[unit] ?? Number.NaN)
}
