import type { ListPage, ListQuery, LogQuery, ReadOptions, RequestOptions } from './client.ts'
import { CLIENT_LIMITS } from './limits.ts'
import type { KubeObject, Page, Place } from './object.ts'
import { ApiProblem, isProblem } from './problem.ts'
import { PODS, pathOf, type Query, type Resource, withQuery } from './resource.ts'
import { acceptOf, JSON_TYPE, METADATA_LIST, parsed, type Sender, serverTimeout } from './sender.ts'
import type { OpenAnswer } from './transport.ts'

export async function get<T extends KubeObject>(
  sender: Sender,
  resource: Resource,
  place: Place,
  options: ReadOptions | undefined,
): Promise<T> {
  const path = pathOf(resource, place.namespace, place.name)
  return parsed<T>(
    await sender.send({ method: 'GET', path, repeat: 'always', accept: acceptOf(options) }, options),
  )
}

/**
 * A list of one moment, page by page. Its `continue` token may expire while pages are worked on: then it starts again,
 * and after some such starts asks for everything at once.
 */
export async function* pages<T extends KubeObject>(
  sender: Sender,
  resource: Resource,
  query: ListQuery,
  options: ReadOptions | undefined,
): AsyncGenerator<ListPage<T>> {
  let token: string | undefined
  let restarted = false
  for (let restarts = 0; ; ) {
    const limit =
      restarts > CLIENT_LIMITS.listRestartsMax ? undefined : (query.pageSize ?? CLIENT_LIMITS.pageSize)
    let page: ListReply<T>
    try {
      page = await listPage<T>(sender, resource, { ...query, pageSize: limit }, token, options)
    } catch (error) {
      if (!isProblem(error, 'gone') || token === undefined) throw error
      token = undefined
      restarted = true
      restarts += 1
      continue
    }
    yield { items: page.items ?? [], resourceVersion: page.metadata.resourceVersion, restarted }
    restarted = false
    token = page.metadata.continue
    if (token === undefined || token === '') return
  }
}

export async function list<T extends KubeObject>(
  sender: Sender,
  resource: Resource,
  query: ListQuery,
  options: ReadOptions | undefined,
): Promise<Page<T>> {
  let items: T[] = []
  let resourceVersion = ''
  for await (const page of pages<T>(sender, resource, query, options)) {
    if (page.restarted) items = []
    for (const item of page.items) items.push(item)
    resourceVersion = page.resourceVersion
  }
  return { items, resourceVersion }
}

export interface ListReply<T> {
  readonly items: readonly T[] | null
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
}

export async function listPage<T>(
  sender: Sender,
  resource: Resource,
  query: ListQuery,
  token: string | undefined,
  options: ReadOptions | undefined,
): Promise<ListReply<T>> {
  const attemptMs = options?.attemptMs ?? CLIENT_LIMITS.longAttemptMs
  const path = withQuery(pathOf(resource, query.namespace), {
    labelSelector: query.labelSelector,
    fieldSelector: query.fieldSelector,
    limit: query.pageSize,
    continue: token,
    timeout: serverTimeout(attemptMs),
  })
  const accept = options?.metadataOnly === true ? METADATA_LIST : JSON_TYPE
  const facts = { method: 'GET', path, repeat: 'always', accept, attemptMs, measured: false } as const
  const deadlineMs = options?.deadlineMs ?? CLIENT_LIMITS.longAttemptMs * 2
  const reply = parsed<ListReply<T>>(await sender.send(facts, { ...options, deadlineMs }))
  if (typeof reply.metadata?.resourceVersion === 'string') return reply
  throw new ApiProblem({ kind: 'garbled', effect: 'none', message: `${path} did not answer with a list` })
}

export function logs(
  sender: Sender,
  pod: Place,
  query: LogQuery,
  options: RequestOptions | undefined,
): Promise<OpenAnswer> {
  const path = withQuery(pathOf(PODS, pod.namespace, pod.name, 'log'), { ...query })
  return sender.stream(
    { method: 'GET', path, repeat: 'always', accept: '*/*', measured: false },
    options,
    'slot',
  )
}

export function watch(
  sender: Sender,
  resource: Resource,
  namespace: string | undefined,
  query: Query,
  options: ReadOptions | undefined,
): Promise<OpenAnswer> {
  const path = withQuery(pathOf(resource, namespace), { ...query, watch: true })
  // Only the reflector's own back-off decides when to come back.
  const facts = { method: 'GET', path, repeat: 'never', accept: acceptOf(options), measured: false } as const
  return sender.stream(facts, options, 'noSlot')
}
