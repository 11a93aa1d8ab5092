import { createHash } from 'node:crypto'
import type { Dag } from '../core/dag/dag.ts'

/** The content of a DAG version as a name: SHA-256 over its data, keys sorted, without `suspended`. */
export function dagHash(dag: Dag): string {
  const { suspended: _, ...content } = dag
  return createHash('sha256').update(canonical(content)).digest('hex')
}

/** SHA-256 over any plain data, keys sorted. */
export function contentHash(value: unknown): string {
  return createHash('sha256').update(canonical(value)).digest('hex')
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
