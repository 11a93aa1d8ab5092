import { createServer } from 'node:net'
import type { Dag } from '../core/dag/dag.ts'
import type { Engine } from '../engine/engine.ts'
import { EngineEventRuns } from '../engine/event-runs.ts'
import { EngineControl } from '../engine/control.ts'
import type { ScheduledDags } from '../engine/scheduled-dags.ts'
import { systemClock, systemIdentity } from '../host/clock.ts'
import { engineProbe } from '../host/this-engine.ts'
import { VERSION } from '../host/version.ts'
import type { ServerOptions } from '../server/parts.ts'
import { ROUTES } from '../server/routes.ts'
import { type Server, openServer } from '../server/server.ts'
import { openDevAccounts } from './dev-accounts.ts'
import { CommandError } from './exit.ts'
import type { Local } from './local.ts'
import { localAuthenticator, tokenOf } from './local-authenticator.ts'
import { runName } from './run-name.ts'

export const PORT_DEFAULT = 8080
/** Ports after the usual one that are tried when nobody named one. */
const PORTS_MORE = 19

export interface DevServerOptions {
  readonly local: Local
  readonly engine: Engine
  readonly dags: ScheduledDags
  readonly folder: string
  readonly user: string
  /** Null: the usual one, or the next that is free. */
  readonly port: number | null
  /** Users who sign in, beside the token: `true`, or a file that says more. */
  readonly accounts: string | true | null
  readonly notesOf: (dag: Dag) => readonly string[]
  readonly say: (text: string) => void
}

/** The API over a standing engine, for the user of this machine, and for users with accounts where that is wanted. */
export async function serveDev(options: DevServerOptions): Promise<Server> {
  const { local, engine, dags, folder, say } = options
  const authenticator = localAuthenticator(tokenOf(local.stateDir), options.user)
  const control = new EngineControl(engine, {
    changes: dags,
    workdir: folder,
    nameOf: runName,
    notesOf: options.notesOf,
  })
  const hooks = {
    runs: new EngineEventRuns(engine, { workdir: folder, nameOf: runName }),
    values: engine.parts.values,
    serves: (namespace: string, dag: string) => dags.has(namespace, dag),
  }
  const file = options.accounts === true ? null : options.accounts
  const accounts =
    options.accounts === null ? null : openDevAccounts(local.store.accounts, file, authenticator)
  const parts: ServerOptions = {
    hooks,
    store: local.store,
    logs: local.logs,
    control,
    authenticator,
    probe: engineProbe,
    clock: systemClock,
    identity: systemIdentity,
    version: VERSION,
    trouble: (id: string, error: unknown) =>
      say(`warning: a request failed (${id}): ${error instanceof Error ? error.message : String(error)}`),
  }
  const open = async (port: number): Promise<Server> => {
    if (accounts === null) return await openServer(parts, ROUTES, port)
    // Their cookies and addresses are made of the port, before the server has it.
    const known = port === 0 ? await freePort() : port
    return await openServer({ ...parts, ...accounts.parts(`http://127.0.0.1:${known}`) }, ROUTES, known)
  }
  const server = await onFreePort(options.port, open)
  authenticator.port = server.port
  say(`API on ${server.url}; sign a browser in, once: ${server.url}${authenticator.newLink()}`)
  await accounts?.begin(say)
  return {
    ...server,
    async close() {
      accounts?.close()
      await server.close()
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** @throws {CommandError} `PORT_IN_USE` */
async function onFreePort(wanted: number | null, open: (port: number) => Promise<Server>): Promise<Server> {
  const usual = Array.from({ length: PORTS_MORE + 1 }, (_, index) => PORT_DEFAULT + index)
  for (const port of wanted === null ? usual : [wanted]) {
    try {
      return await open(port)
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || !TAKEN.has(error.code)) throw error
    }
  }
  if (wanted === null) return await open(0)
  throw new CommandError(
    'PORT_IN_USE',
    `port ${wanted} cannot be used: another program has it, or only the system may`,
    'give another with --port, or --no-server',
  )
}

const TAKEN: ReadonlySet<unknown> = new Set(['EADDRINUSE', 'EACCES'])
