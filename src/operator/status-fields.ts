import type { Json } from '../core/json.ts'
import { canonical } from '../spec/dag-tasks.ts'
import { plainSchema } from '../spec/json-schema.ts'
import { KINDS } from '../spec/kinds.ts'
import type { Cluster, ClusterObject, KindName } from './cluster.ts'
import { fieldOf } from './conditions.ts'

/** Every field of a kind's status; what a status does not have is taken away. */
const FIELDS = new Map(
  KINDS.map(({ kind, status }) => [kind, Object.keys(plainSchema(status)['properties'] ?? {})]),
)

/** Writes a status unless it is what the object says already. Whether it wrote. */
export async function writeStatus(
  cluster: Cluster,
  kind: KindName,
  object: ClusterObject,
  status: object,
): Promise<boolean> {
  const { namespace, name, uid } = object.metadata
  const fields = FIELDS.get(kind) ?? []
  const patch: Record<string, Json> = {}
  for (const field of fields) {
    const [wanted, there] = [fieldOf(status, field) as Json | undefined, fieldOf(object.status, field)]
    if (wanted === undefined && there === undefined) continue
    if (canonical(wanted ?? null) !== canonical(there ?? null)) patch[field] = wanted ?? null
  }
  if (Object.keys(patch).length === 0) return false
  await cluster.writeStatus(kind, { namespace, name, uid }, patch)
  return true
}
