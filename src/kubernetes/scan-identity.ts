import type { KubeObject, ObjectIdentity } from './object.ts'
import { identityOf } from './object.ts'
import { parsed } from './sender.ts'

/** All that is looked for stands in front of labels and annotations, which may be long. */
const HEAD_BYTES = 1_024
const META = '"metadata":{'
const NAME =
  /^"name":"([^"\\]*)",(?:"generateName":"[^"\\]*",)?(?:"namespace":"([^"\\]*)",)?"uid":"([^"\\]*)",/
const VERSION = /^"resourceVersion":"([^"\\]*)"/

/**
 * Who an object is, from the first bytes of its JSON. Parsing a pod costs as much as all else of a create together. The
 * API server writes the fields in this order; when it does not, everything is parsed.
 */
export function scanIdentity(body: Buffer): ObjectIdentity {
  const head = body.toString('latin1', 0, HEAD_BYTES)
  const start = head.indexOf(META)
  const rest = start === -1 ? '' : head.slice(start + META.length)
  const named = NAME.exec(rest)
  const version = named === null ? null : VERSION.exec(rest.slice(named[0].length))
  if (named === null || version === null) return identityOf(parsed<KubeObject>(body, 'unknown'))
  return {
    name: named[1] ?? '',
    namespace: named[2] ?? '',
    uid: named[3] ?? '',
    resourceVersion: version[1] ?? '',
  }
}
