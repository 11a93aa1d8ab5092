import type { SecretRef } from '../core/dag/dag.ts'
import type { Client } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/object.ts'
import { ApiProblem } from '../kubernetes/problem.ts'
import { SECRETS } from '../kubernetes/resource.ts'
import type { Clock } from '../ports/clock.ts'
import type { ValueSource } from '../ports/secrets.ts'

/** Values read this short a time ago are taken again: a thousand events in a second are one request. */
const KEPT_MS = 5_000
const KEPT_MAX = 1_000

interface SecretObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

/**
 * Reads single keys of Secrets that webhooks name. Which ones may be read is said by the role that the chart gives; a
 * refusal is thrown, one that is not there is null. Values are held for seconds, in memory only.
 */
export function secretValues(client: Pick<Client, 'get'>, clock: Clock): Pick<ValueSource, 'secret'> {
  const kept = new Map<string, { readonly at: number; readonly data: Promise<SecretObject['data'] | null> }>()

  async function read(namespace: string, name: string): Promise<SecretObject['data'] | null> {
    try {
      const { data } = await client.get<SecretObject>(SECRETS, { namespace, name }, { deadlineMs: 10_000 })
      return data ?? {}
    } catch (error) {
      if (error instanceof ApiProblem && error.kind === 'notFound') return null
      throw error
    }
  }

  return {
    async secret(namespace: string, { name, key }: SecretRef): Promise<string | null> {
      const place = `${namespace}/${name}`
      const now = clock.now()
      let known = kept.get(place)
      if (known === undefined || Math.abs(now - known.at) > KEPT_MS) {
        if (kept.size >= KEPT_MAX) kept.clear()
        known = { at: now, data: read(namespace, name) }
        kept.set(place, known)
        known.data.catch(() => kept.delete(place))
      }
      const data = await known.data
      const value = data !== null && data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined
      return value === undefined ? null : Buffer.from(value, 'base64').toString('utf8')
    },
  }
}
