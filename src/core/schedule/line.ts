/**
 * Of the unsettled runs of a DAG with `concurrencyPolicy: Queue`, the one whose turn it is: the oldest, so that a
 * queued run begins once nothing before it is left. Null when there is none.
 */
export function firstInLine<Run extends { readonly id: string; readonly createdAt: number }>(
  unsettled: readonly Run[],
): Run | null {
  const oldestFirst = unsettled.toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
  return oldestFirst[0] ?? null
}
