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

/**
 * Writes a status unless it is what the object says already. Whether it wrote. What is known of the object may be older
 * than the last write to it, so a status is always written whole: a field that looks right may not be any more.
 */
export async function writeStatus(
  cluster: Cluster,
  kind: KindName,
  object: ClusterObject,
  status: object,
): Promise<boolean> {
  const { namespace, name, uid } = object.metadata
  const fields = FIELDS.get(kind) ?? []
  const whole = (said: unknown): Record<string, Json> =>
    Object.fromEntries(fields.map(field => [field, (fieldOf(said, field) ?? null) as Json]))
  const wanted = whole(status)
  if (canonical(wanted) === canonical(whole(object.status))) return false
  await cluster.writeStatus(kind, { namespace, name, uid }, wanted)
  return true
}

/**
 * How long a status that was written then may not be written again, in milliseconds. A clock that was set back holds up
 * nothing.
 *
 * @param writtenAt  Undefined: never.
 */
export function restMs(writtenAt: number | undefined, leastMs: number, now: number): number {
  const passed = writtenAt === undefined ? leastMs : now - writtenAt
  return passed < 0 || passed >= leastMs ? 0 : leastMs - passed
}
