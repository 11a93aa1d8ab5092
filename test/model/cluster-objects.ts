import type { ClusterObject } from '../../src/operator/cluster.ts'
import type { Json } from '../../src/core/json.ts'

/** An object as an API server tells it. */
export function anObject(
  name: string,
  spec: Json,
  given: Partial<ClusterObject['metadata']> & { readonly status?: Json } = {},
): ClusterObject {
  const { status = null, ...metadata } = given
  return {
    metadata: {
      name,
      namespace: 'space',
      uid: `uid-of-${name}`,
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      deletionTimestamp: null,
      labels: {},
      annotations: {},
      ...metadata,
    },
    spec,
    status,
  }
}
