import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { Client } from '../../../src/kubernetes/client.ts'
import { type Identity, NO_TLS } from '../../../src/kubernetes/identity.ts'
import type { KubeObject, ObjectIdentity } from '../../../src/kubernetes/object.ts'
import { openClient } from '../../../src/kubernetes/open-client.ts'
import { ApiProblem } from '../../../src/kubernetes/problem.ts'
import { type ReflectorOptions, startReflector } from '../../../src/kubernetes/reflector.ts'
import { CONFIG_MAPS, NAMESPACES } from '../../../src/kubernetes/resource.ts'
import { startCluster, USERS } from '../cluster.ts'

/** An API server that belongs to one file of tests, and a client of it with every right. */
export interface Place {
  readonly client: Client
  readonly url: string
  readonly port: number
  /** PEM of the authority that the server's certificate comes from. */
  readonly ca: string
  /** Of the test's own; removed at the end. */
  readonly folder: string
  /** As which user; another address than the server's own goes through a wire. */
  identity(user?: keyof typeof USERS, url?: string): Identity
  /** A new namespace. */
  readonly space: () => Promise<string>
  /** Kills the API server; its database stays. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Throws away all history in the database. */
  compact(): Promise<void>
}

/**
 * Call it at the top of a file; everything ends with the file's last test.
 *
 * @param flags More arguments of the API server.
 */
export async function startPlace(flags: (folder: string) => readonly string[] = () => []): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-api-'))
  const cluster = await startCluster({ mode: 'api', state: join(folder, 'state'), apiServer: flags(folder) })
  const { server: url, ca } = cluster
  const identity: Place['identity'] = (user = 'admin', address = url) =>
    fixedIdentity(address, ca, USERS[user])
  const client = openClient({ identity: identity() })
  after(async () => {
    await client.close()
    await cluster.stop()
    await rm(folder, { recursive: true })
  })
  let spaces = 0
  return {
    client,
    url,
    port: Number(new URL(url).port),
    ca,
    folder,
    identity,
    async space() {
      spaces += 1
      const name = `space-${spaces}`
      await client.create(NAMESPACES, undefined, { metadata: { name } })
      return name
    },
    stop: () => cluster.part('apiserver').kill(),
    start: () => cluster.startApiServer(),
    compact: () => cluster.compact(),
  }
}

export function fixedIdentity(server: string, ca: string, token: string): Identity {
  const access = { authorization: `Bearer ${token}`, headers: {}, tls: { ...NO_TLS, ca } }
  return {
    server,
    namespace: 'default',
    access: () => Promise.resolve(access),
    refresh: () => Promise.resolve(),
  }
}

/** All but the one that the controller manager puts into each namespace. */
export const OURS = 'metadata.name!=kube-root-ca.crt'

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

export const configMap = (name: string, more: object = {}, data: object = {}): object => ({
  metadata: { name, ...more },
  data,
})

/** Makes many small objects, as fast as the server takes them. */
export const createMany = (
  client: Client,
  namespace: string,
  names: readonly string[],
): Promise<ObjectIdentity[]> =>
  Promise.all(
    names.map(name =>
      client.createBrief(CONFIG_MAPS, namespace, configMap(name, { labels: { made: 'many' } }), {
        deadlineMs: 300_000,
      }),
    ),
  )

export async function problemOf(promise: Promise<unknown>): Promise<ApiProblem> {
  const error = await promise.then(
    () => assert.fail('it succeeded'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ApiProblem, String(error))
  return error
}

/** Waits for something to become true; fails loudly when it does not. */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
  ms = 30_000,
): Promise<void> {
  const end = performance.now() + ms
  while (!(await check())) {
    assert.ok(performance.now() < end, `it did not become true that ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** What a reflector of config maps believes, and what it was told. */
export function follow(client: Client, namespace: string, more: Partial<ReflectorOptions<undefined>> = {}) {
  const believed = new Map<string, string>()
  const told: string[] = []
  const troubles: unknown[] = []
  const reflector = startReflector<undefined>({
    client,
    resource: CONFIG_MAPS,
    namespace,
    fieldSelector: OURS,
    backOffMs: [20, 500],
    listener: {
      changed(object, before) {
        const { uid, name } = object.metadata
        assert.equal(believed.has(uid), before !== null, `${name} is told as what it is`)
        believed.set(uid, name)
        told.push(`${before === null ? '+' : '~'} ${name}`)
      },
      deleted(last) {
        assert.ok(believed.delete(last.uid), `${last.name} was there`)
        told.push(`- ${last.name}`)
      },
      trouble: error => void troubles.push(error),
    },
    ...more,
  })
  return { reflector, believed, told, troubles }
}

/** UIDs of everything that exists. */
export async function existing(client: Client, namespace: string): Promise<Set<string>> {
  const { items } = await client.list(CONFIG_MAPS, { namespace, fieldSelector: OURS }, { metadataOnly: true })
  return new Set(items.map(item => item.metadata.uid))
}
