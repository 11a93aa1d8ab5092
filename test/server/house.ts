import { mkdtemp, rm } from 'node:fs/promises'
import { type Socket, createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chooseExecutor } from '../../src/cli/executor.ts'
import { openLocal } from '../../src/cli/local.ts'
import { openEngine } from '../../src/cli/local-engine.ts'
import { runName } from '../../src/cli/run-name.ts'
import { environment } from '../../src/cli/settings.ts'
import { type Client, openClient } from '../../src/client/client.ts'
import { dagHash } from '../../src/engine/dag-hash.ts'
import { EngineEventRuns } from '../../src/engine/event-runs.ts'
import { EngineControl } from '../../src/engine/control.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { ScheduledDags } from '../../src/engine/scheduled-dags.ts'
import { Scheduler } from '../../src/engine/scheduler.ts'
import { systemClock, systemIdentity } from '../../src/host/clock.ts'
import { engineProbe } from '../../src/host/this-engine.ts'
import type { Accounts } from '../../src/ports/accounts.ts'
import type { Authenticator, Principal, Role } from '../../src/ports/authenticator.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { AccountParts } from '../../src/server/accounts/parts.ts'
import type { ValueSource } from '../../src/ports/secrets.ts'
import type { Store } from '../../src/ports/store.ts'
import type { ServerOptions } from '../../src/server/parts.ts'
import type { AnyRoute } from '../../src/server/route.ts'
import { ROUTES } from '../../src/server/routes.ts'
import { type Server, openServer } from '../../src/server/server.ts'
import { loadDocuments } from '../../src/spec/load.ts'

/** Tokens of people, each with what they may do. */
export const PEOPLE: Readonly<Record<string, readonly (readonly [namespace: string, role: Role])[]>> = {
  admin: [['*', 'admin']],
  editor: [['default', 'editor']],
  viewer: [['default', 'viewer']],
  stranger: [['elsewhere', 'admin']],
}

/** A real server over a real engine, which runs tasks as processes; its state is in a file. */
export interface House {
  readonly url: string
  readonly port: number
  readonly store: Store
  readonly engine: Engine
  /** What went wrong on the server's side. */
  readonly troubles: readonly unknown[]
  readonly folder: string
  /** Tokens that are good no more. */
  readonly revoked: Set<string>
  as(person: string): Client
  /** One request, as it stands. */
  send(path: string, options?: RequestInit & { readonly as?: string }): Promise<Response>
  /** Text that is sent over a bare connection; all that comes back until it is closed. */
  raw(text: string | readonly string[], pauseMs?: number): Promise<string>
  putDag(yaml: string): Promise<void>
  /** Closes the server and opens another one on the same port, over the same state. */
  restartServer(): Promise<void>
  close(): Promise<void>
}

export interface HouseOptions extends Pick<ServerOptions, 'limits' | 'trustedProxies'> {
  readonly routes?: readonly AnyRoute[]
  /** Values of Secrets by name and key. */
  readonly secrets?: Readonly<Record<string, string>>
  /** Stands between the server and the store. */
  readonly wrap?: (store: Store) => Store
  readonly clock?: Clock
  readonly port?: number
  /** Users who sign in, in place of people whose names are their tokens. */
  readonly accounts?: (
    accounts: Accounts,
  ) => Promise<{ readonly accounts: AccountParts; readonly authenticator: Authenticator }>
}

export async function openHouse(options: HouseOptions = {}): Promise<House> {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-server-'))
  const place = environment({ state: join(folder, 'state') })
  const local = await openLocal(place, true)
  const values: ValueSource = {
    secret: (_namespace, { name, key }) => Promise.resolve(options.secrets?.[`${name}/${key}`] ?? null),
    configMap: () => Promise.resolve(null),
  }
  const troubles: unknown[] = []
  const engine = await openEngine(
    local,
    values,
    {},
    { maxParallel: 8, pools: new Map(), stopGraceMs: 500, pollMs: 50 },
    await chooseExecutor(place, 'process'),
  )
  const scheduler = new Scheduler(engine, { workdir: folder, nameOf: dag => runName(dag.name) })
  const changes = new ScheduledDags(scheduler)
  const revoked = new Set<string>()
  const parts: ServerOptions = {
    store: options.wrap?.(local.store) ?? local.store,
    logs: local.logs,
    control: new EngineControl(engine, {
      changes,
      workdir: folder,
      nameOf: runName,
      notesOf: () => ['a note'],
    }),
    hooks: {
      runs: new EngineEventRuns(engine, { workdir: folder, nameOf: runName }),
      values,
      serves: () => true,
    },
    ...((await options.accounts?.(local.store.accounts)) ?? { authenticator: people(revoked) }),
    probe: engineProbe,
    clock: options.clock ?? systemClock,
    identity: systemIdentity,
    version: '0.0.0-test',
    trouble: (_id, error) => troubles.push(error),
    checkAnswers: true,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.trustedProxies === undefined ? {} : { trustedProxies: options.trustedProxies }),
  }
  const open = (port: number): Promise<Server> => openServer(parts, options.routes ?? ROUTES, port)
  let server = await open(options.port ?? 0)
  const { url, port } = server
  return {
    url,
    port,
    store: local.store,
    engine,
    troubles,
    folder,
    revoked,
    as: person => openClient({ url, token: person }),
    send(path, { as, headers, ...init } = {}) {
      const given = new Headers(headers)
      if (as !== undefined) given.set('authorization', `Bearer ${as}`)
      return fetch(`${url}${path}`, { redirect: 'manual', ...init, headers: given })
    },
    raw: (text, pauseMs) => raw(port, typeof text === 'string' ? [text] : text, pauseMs ?? 0),
    async putDag(yaml) {
      const [loaded] = loadDocuments([{ name: 'dag.yaml', text: yaml }]).dags
      if (loaded === undefined) throw new Error('no DAG')
      await local.store.putDag(loaded.dag, dagHash(loaded.dag), 'api', Date.now())
    },
    async restartServer() {
      await server.close()
      server = await open(port)
    },
    async close() {
      await server.close()
      await scheduler.close()
      await engine.close()
      await local.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Names are tokens here: what is tested is what the server makes of who asks. */
function people(revoked: ReadonlySet<string>): Authenticator {
  const known = new Map(
    Object.entries(PEOPLE).map(([name, roles]): [string, Principal] => [
      name,
      { id: name, name, roles: new Map(roles) },
    ]),
  )
  return {
    identify({ bearer, cookies }) {
      const name = bearer ?? cookies.get('person') ?? ''
      return Promise.resolve(revoked.has(name) ? null : (known.get(name) ?? null))
    },
    redeem: code => Promise.resolve(code === 'good' ? { name: 'person', value: 'editor' } : null),
  }
}

function raw(port: number, parts: readonly string[], pauseMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    let answer = ''
    socket.setEncoding('latin1')
    socket.on('data', text => {
      answer += text
    })
    socket.on('error', error => (answer === '' ? reject(error) : resolve(answer)))
    socket.on('close', () => resolve(answer))
    socket.on('connect', () => void writeSlowly(socket, parts, pauseMs))
  })
}

async function writeSlowly(socket: Socket, parts: readonly string[], pauseMs: number): Promise<void> {
  for (const part of parts) {
    if (socket.writable) socket.write(part, 'latin1')
    if (pauseMs > 0) await new Promise(go => setTimeout(go, pauseMs))
  }
}

/** A DAG of one task with a shell script. */
export function oneTask(name: string, script: string, more = ''): string {
  return [
    'apiVersion: kontroler.greedykomodo/v1alpha1',
    'kind: DAG',
    `metadata: {name: ${name}}`,
    'spec:',
    ...(more === '' ? [] : [more.replace(/^/gm, '  ')]),
    '  task:',
    '    - name: work',
    '      image: x',
    '      script: |',
    script.replace(/^/gm, '        '),
    '',
  ].join('\n')
}
