import type { ListQuery, Removal, RemoveOptions, RemoveQuery, RequestOptions } from './client.ts'
import { CLIENT_LIMITS } from './limits.ts'
import type { KubeObject, Place } from './object.ts'
import { isProblem } from './problem.ts'
import { listPage } from './reading.ts'
import { pathOf, type Resource, withQuery } from './resource.ts'
import { JSON_TYPE, METADATA, METADATA_LIST, parsed, type Sender, serverTimeout } from './sender.ts'

export async function remove(
  sender: Sender,
  resource: Resource,
  place: Place,
  options: RemoveOptions | undefined,
): Promise<'accepted' | 'absent'> {
  const path = withQuery(pathOf(resource, place.namespace, place.name), {
    timeout: serverTimeout(options?.attemptMs ?? CLIENT_LIMITS.attemptMs),
  })
  const body = JSON.stringify({
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    gracePeriodSeconds: options?.gracePeriodSeconds,
    propagationPolicy: options?.propagation ?? 'Background',
    preconditions:
      options?.uid === undefined && options?.resourceVersion === undefined
        ? undefined
        : { uid: options.uid, resourceVersion: options.resourceVersion },
  })
  const call = {
    method: 'DELETE',
    path,
    repeat: 'always',
    accept: METADATA,
    contentType: JSON_TYPE,
    body,
  } as const
  try {
    await sender.send(call, options)
    return 'accepted'
  } catch (error) {
    if (isProblem(error, 'notFound')) return 'absent'
    // Another object has taken the name: the one that was meant is gone.
    if (isProblem(error, 'conflict') && options?.uid !== undefined && options.resourceVersion === undefined)
      return 'absent'
    throw error
  }
}

/** Passes over the whole list in which nothing went, before we believe that nothing will. */
const FRUITLESS_PASSES_MAX = 3

/**
 * First one deletecollection after the other, along the list; then passes over the list, which remove what still stands
 * and end when nothing does. The truth is in the list, never in the reply to a deletecollection: that may fail after
 * everything is gone, and names objects that linger again and again.
 */
export async function removeAll(
  sender: Sender,
  resource: Resource,
  query: RemoveQuery,
  options: RequestOptions | undefined,
): Promise<Removal> {
  const chunk = query.chunk ?? CLIENT_LIMITS.removeChunk
  const remover = chunkRemover(sender, resource, query, chunk, options)
  let next: string | undefined
  do next = await remover.remove(next)
  while (next !== undefined)
  let before = Number.POSITIVE_INFINITY
  for (let fruitless = 0; ; ) {
    const { standing, going } = await onePass(
      sender,
      resource,
      { ...query, pageSize: chunk },
      options,
      remover,
    )
    if (standing === 0) return { going, standing, requests: remover.requests() }
    fruitless = standing < before ? 0 : fruitless + 1
    if (fruitless >= FRUITLESS_PASSES_MAX) return { going, standing, requests: remover.requests() }
    before = standing
  }
}

/** Counts what is there, and asks for the removal of each chunk in which something is not going yet. */
async function onePass(
  sender: Sender,
  resource: Resource,
  query: ListQuery,
  options: RequestOptions | undefined,
  remover: ReturnType<typeof chunkRemover>,
): Promise<{ standing: number; going: number }> {
  let standing = 0
  let going = 0
  let token: string | undefined
  try {
    do {
      const { items, metadata } = await listPage<KubeObject>(sender, resource, query, token, {
        ...options,
        metadataOnly: true,
      })
      const left = (items ?? []).filter(item => item.metadata.deletionTimestamp === undefined).length
      standing += left
      going += (items?.length ?? 0) - left
      if (left > 0) await remover.remove(token)
      token = metadata.continue
    } while (token !== undefined && token !== '')
  } catch (error) {
    // The place in the list is too old: what was not seen is seen in the next pass.
    if (!isProblem(error, 'gone')) throw error
    standing += 1
  }
  return { standing, going }
}

function chunkRemover(
  sender: Sender,
  resource: Resource,
  query: RemoveQuery,
  chunk: number,
  options: RequestOptions | undefined,
) {
  let requests = 0
  const attemptMs = options?.attemptMs ?? CLIENT_LIMITS.longAttemptMs
  const body = JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' })
  return {
    requests: () => requests,
    /** @returns Where the list goes on; undefined at its end, and when the reply does not say. */
    async remove(token: string | undefined): Promise<string | undefined> {
      requests += 1
      const path = withQuery(pathOf(resource, query.namespace), {
        labelSelector: query.labelSelector,
        fieldSelector: query.fieldSelector,
        limit: chunk,
        continue: token,
        timeout: serverTimeout(attemptMs),
      })
      const facts = {
        method: 'DELETE',
        path,
        repeat: 'always',
        accept: METADATA_LIST,
        attemptMs,
        body,
      } as const
      const given = { deadlineMs: CLIENT_LIMITS.longAttemptMs * 2, ...options }
      try {
        const reply = await sender.send({ ...facts, contentType: JSON_TYPE, measured: false }, given)
        return parsed<{ metadata?: { continue?: string } }>(reply).metadata?.continue || undefined
      } catch (error) {
        // Too old a place in the list, or the work is done but the reply cannot be given: the list says what is left.
        if (isProblem(error, 'notAcceptable', 'gone')) return undefined
        throw error
      }
    },
  }
}
