import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { Client } from '../../../src/kubernetes/client.ts'
import type { KubeObject, ObjectIdentity } from '../../../src/kubernetes/object.ts'
import { openClient } from '../../../src/kubernetes/open-client.ts'
import { ApiProblem } from '../../../src/kubernetes/problem.ts'
import { type ReflectorOptions, startReflector } from '../../../src/kubernetes/reflector.ts'
import { CONFIG_MAPS, NAMESPACES } from '../../../src/kubernetes/resource.ts'
import { type ApiServer, startApiServer } from './api-server.ts'

/** One API server for a file of tests, and a client of it with every right. */
export interface Place {
  readonly api: ApiServer
  readonly folder: string
  readonly client: Client
  /** A new namespace. */
  space(): Promise<string>
}

/** Call it at the top of a file; everything ends with the file's last test. */
export async function startPlace(flags: (folder: string) => readonly string[] = () => []): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-api-'))
  const bin = process.env['KONTROLER_CLUSTER_BIN'] ?? ''
  const binaries = { etcd: join(bin, 'etcd'), apiServer: join(bin, 'kube-apiserver') }
  const api = await startApiServer(folder, binaries, flags(folder))
  const client = openClient({ identity: api.identity() })
  after(async () => {
    await client.close()
    await api[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })
  let spaces = 0
  return {
    api,
    folder,
    client,
    async space() {
      spaces += 1
      const name = `space-${spaces}`
      await client.create(NAMESPACES, undefined, { metadata: { name } })
      return name
    },
  }
}

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
  const { items } = await client.list(CONFIG_MAPS, { namespace }, { metadataOnly: true })
  return new Set(items.map(item => item.metadata.uid))
}
