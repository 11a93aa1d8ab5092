import type { Client } from '../../kubernetes/client.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { type Reflector, startReflector } from '../../kubernetes/reflector.ts'
import { EVENTS } from '../../kubernetes/resource.ts'
import type { PodEvent } from './events.ts'

export interface EventFeedOptions {
  readonly client: Client
  /** Where tasks run; null for every namespace. */
  readonly namespaces: readonly string[] | null
  readonly heard: (
    pod: { readonly namespace: string; readonly name: string; readonly uid: string },
    event: PodEvent,
  ) => void
  readonly trouble: (message: string) => void
}

export interface EventFeed {
  close(): Promise<void>
}

/** An Event as the server sends it; `involvedObject` is whom it is about. */
interface EventObject extends KubeObject, PodEvent {
  readonly involvedObject?: { readonly namespace?: string; readonly name?: string; readonly uid?: string }
}

/**
 * Follows the Warnings about pods: one watch for each namespace. Nothing is kept of them but their names, for as
 * long as the cluster keeps them. They are an extra: where they may not be read, tasks run all the same.
 */
export function startEventFeed(options: EventFeedOptions): EventFeed {
  const { client, namespaces, heard } = options
  const told = new Set<string>()
  const trouble = (error: unknown): void => {
    const text = `Events of pods: ${error instanceof Error ? error.message : String(error)}`
    // Each kind of trouble once: it is not worth more.
    if (told.size >= TROUBLES_MAX || told.has(text)) return
    told.add(text)
    options.trouble(text)
  }
  const reflectors: Reflector<undefined>[] = (namespaces ?? [undefined]).map(namespace =>
    startReflector({
      client,
      resource: EVENTS,
      ...(namespace === undefined ? {} : { namespace }),
      fieldSelector: 'involvedObject.kind=Pod,type=Warning',
      // What a watch misses is told again by the next try of whoever warns.
      relistMs: 0,
      listener: {
        changed: object => {
          const { involvedObject = {}, type, reason, message } = object as EventObject
          const { namespace: place = '', name = '', uid = '' } = involvedObject
          const said = {
            ...(reason === undefined ? {} : { reason }),
            ...(message === undefined ? {} : { message }),
          }
          heard({ namespace: place, name, uid }, { ...(type === undefined ? {} : { type }), ...said })
        },
        deleted: () => undefined,
        trouble,
      },
    }),
  )
  return {
    close: async () => {
      await Promise.all(reflectors.map(reflector => reflector.stop()))
    },
  }
}

const TROUBLES_MAX = 20
