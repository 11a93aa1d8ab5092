import type { KubeObject, ObjectIdentity } from './object.ts'

/** What is remembered of an object that is there. */
export interface Remembered<K> extends ObjectIdentity {
  /** What `keep` made of it when it was last seen. */
  readonly kept: K
}

/** A difference between what was known and what is. */
export type Difference<K> =
  | { readonly kind: 'changed'; readonly object: KubeObject; readonly before: Remembered<K> | null }
  | { readonly kind: 'deleted'; readonly last: Remembered<K>; readonly object: KubeObject | null }

/**
 * Which objects exist, by name and UID. Turns lists and events into differences: an object of a known name with another
 * UID is a deletion and a new object, what a list does not name any more was deleted while nobody looked, and what is
 * known already is no difference.
 */
export interface Known<K> {
  readonly size: number
  values(): IterableIterator<Remembered<K>>
  find(namespace: string, name: string): Remembered<K> | undefined
  seen(object: KubeObject, tell: (difference: Difference<K>) => void): void
  gone(object: KubeObject, tell: (difference: Difference<K>) => void): void
  /** A list begins: from now on it is noted what is seen. */
  listBegins(): void
  /** The list is complete. */
  listEnds(tell: (difference: Difference<K>) => void): void
  /** Told again by the next list, because telling it failed. */
  forgetVersion(object: KubeObject): void
}

const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`

interface Entry<K> extends Remembered<K> {
  /** The list in which it was last seen. */
  readonly list: number
}

/** @param keep What is held of each object for as long as it exists; the object itself is not. */
export function createKnown<K>(keep: (object: KubeObject) => K): Known<K> {
  const entries = new Map<string, Entry<K>>()
  let list = 0
  return {
    get size() {
      return entries.size
    },
    values: () => entries.values(),
    find: (namespace, name) => entries.get(keyOf(namespace, name)),
    seen(object, tell) {
      const { name, namespace = '', uid, resourceVersion } = object.metadata
      const key = keyOf(namespace, name)
      const before = entries.get(key) ?? null
      if (before !== null && before.uid === uid && before.resourceVersion === resourceVersion) {
        if (before.list !== list) entries.set(key, { ...before, list })
        return
      }
      // It is there, even if `keep` throws.
      if (before?.uid === uid) entries.set(key, { ...before, list })
      if (before !== null && before.uid !== uid) {
        entries.delete(key)
        tell({ kind: 'deleted', last: before, object: null })
      }
      entries.set(key, { namespace, name, uid, resourceVersion, kept: keep(object), list })
      tell({ kind: 'changed', object, before: before?.uid === uid ? before : null })
    },
    gone(object, tell) {
      const key = keyOf(object.metadata.namespace ?? '', object.metadata.name)
      const before = entries.get(key)
      // The deletion of one that was replaced since, or that was told before.
      if (before === undefined || before.uid !== object.metadata.uid) return
      entries.delete(key)
      tell({ kind: 'deleted', last: before, object })
    },
    listBegins() {
      list += 1
    },
    listEnds(tell) {
      for (const [key, entry] of entries) {
        if (entry.list === list) continue
        entries.delete(key)
        tell({ kind: 'deleted', last: entry, object: null })
      }
    },
    forgetVersion(object) {
      const key = keyOf(object.metadata.namespace ?? '', object.metadata.name)
      const entry = entries.get(key)
      if (entry !== undefined) entries.set(key, { ...entry, resourceVersion: '' })
    },
  }
}
