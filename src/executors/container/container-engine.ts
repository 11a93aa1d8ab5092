import type { IncomingMessage } from 'node:http'
import { ask, EngineRefused, open } from './client.ts'

/** What a container engine tells about a container, as far as an attempt needs it. */
export interface ContainerState {
  readonly id: string
  readonly labels: Readonly<Record<string, string>>
  /** `created`, `running`, `paused`, `exited` and the like; Podman also says `stopped`, before `exited`. */
  readonly status: string
  /** The main process as this machine numbers it; 0 when there is none. */
  readonly pid: number
  readonly exitCode: number
  readonly oomKilled: boolean
  /** What the engine said when it could not start it. */
  readonly error: string
  /** Milliseconds since 1970; null when it was never started. */
  readonly startedAt: number | null
  readonly finishedAt: number | null
  /** Its limit; null when it has none. */
  readonly memoryBytes: number | null
  /** What it was to run, without arguments. */
  readonly command: string
  /** The signal that its image wants to be stopped with. */
  readonly stopSignal: string
}

export interface ListedContainer {
  readonly id: string
  readonly labels: Readonly<Record<string, string>>
  readonly state: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** Docker and Podman speak the same API, and differ where their logs and limits are concerned. */
export type Dialect = 'docker' | 'podman'

/**
 * Docker Engine or Podman, through its Docker-compatible API on a Unix socket. Every function throws what `client.ts`
 * throws.
 */
export interface ContainerEngine {
  readonly dialect: Dialect
  readonly version: string
  readonly socket: string
  /** @returns The id. A 409 says that the name is taken, a 404 that the image is not there. */
  create(name: string, body: unknown): Promise<string>
  start(id: string): Promise<void>
  /** Null when there is none. */
  inspect(idOrName: string): Promise<ContainerState | null>
  /** Returns when it does not run (any more). */
  waitForEnd(id: string, signal: AbortSignal): Promise<void>
  kill(id: string, signal: string): Promise<void>
  unpause(id: string): Promise<void>
  /** Already gone is fine. Without force, a 409 says that it runs. */
  remove(id: string, force: boolean): Promise<void>
  /** All that have these labels, running or not. */
  list(labels: Readonly<Record<string, string>>): Promise<readonly ListedContainer[]>
  /** Standard output and error in frames of 8 bytes and what they announce. */
  logs(id: string, follow: boolean, signal: AbortSignal): Promise<IncomingMessage>
  /** Progress as lines of JSON. */
  pull(image: string, auth: string | null, signal: AbortSignal): Promise<IncomingMessage>
}

/**
 * Asks who answers on this socket.
 * @throws {EngineUnreachable} Nobody.
 */
export async function connect(socket: string, signal?: AbortSignal): Promise<ContainerEngine> {
  const answer = await ask(socket, { method: 'GET', path: '/version', ...(signal && { signal }) })
  const { Version, Components } = answer as {
    readonly Version?: string
    readonly Components?: readonly { readonly Name?: string; readonly Version?: string }[]
  }
  const podman = Components?.find(({ Name }) => Name === 'Podman Engine')
  const dialect = podman === undefined ? 'docker' : 'podman'
  return engineAt(socket, dialect, podman?.Version ?? Version ?? 'unknown')
}

function engineAt(socket: string, dialect: Dialect, version: string): ContainerEngine {
  const post = (path: string): Promise<unknown> => ask(socket, { method: 'POST', path })
  return {
    dialect,
    version,
    socket,
    async create(name, body) {
      const path = `/containers/create?name=${encodeURIComponent(name)}`
      return ((await ask(socket, { method: 'POST', path, body })) as { readonly Id: string }).Id
    },
    async start(id) {
      await post(`/containers/${id}/start`)
    },
    async inspect(idOrName) {
      const answer = await unlessMissing(() =>
        ask(socket, { method: 'GET', path: `/containers/${encodeURIComponent(idOrName)}/json` }),
      )
      return answer === null ? null : parseState(answer)
    },
    async waitForEnd(id, signal) {
      await ask(socket, { method: 'POST', path: `/containers/${id}/wait?condition=not-running`, signal })
    },
    async kill(id, signal) {
      await post(`/containers/${id}/kill?signal=${encodeURIComponent(signal)}`)
    },
    async unpause(id) {
      await post(`/containers/${id}/unpause`)
    },
    async remove(id, force) {
      const path = `/containers/${id}?v=true&force=${force}`
      await unlessMissing(() => ask(socket, { method: 'DELETE', path }))
    },
    async list(labels) {
      const label = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
      const filters = encodeURIComponent(JSON.stringify({ label }))
      const path = `/containers/json?all=true&filters=${filters}`
      return ((await ask(socket, { method: 'GET', path })) as readonly RawListed[]).map(raw => ({
        id: raw.Id,
        labels: raw.Labels ?? {},
        state: raw.State ?? '',
        createdAt: (raw.Created ?? 0) * 1000,
      }))
    },
    logs(id, follow, signal) {
      const path = `/containers/${id}/logs?stdout=true&stderr=true&follow=${follow}`
      return open(socket, { method: 'GET', path, signal })
    },
    pull(image, auth, signal) {
      // With a tag or digest in the name only that one is pulled; without one it would be all of them.
      const path = `/images/create?fromImage=${encodeURIComponent(image)}`
      const headers = auth === null ? {} : { 'x-registry-auth': auth }
      return open(socket, { method: 'POST', path, headers, signal })
    },
  }
}

interface RawListed {
  readonly Id: string
  readonly Labels?: Readonly<Record<string, string>> | null
  readonly State?: string
  readonly Created?: number
}

async function unlessMissing<Answer>(call: () => Promise<Answer>): Promise<Answer | null> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof EngineRefused && error.status === 404) return null
    throw error
  }
}

interface RawState {
  readonly Id: string
  readonly Config?: {
    readonly Labels?: Readonly<Record<string, string>> | null
    readonly StopSignal?: string
    readonly Entrypoint?: readonly string[] | null
    readonly Cmd?: readonly string[] | null
  }
  readonly HostConfig?: { readonly Memory?: number }
  readonly State: {
    readonly Status?: string
    readonly Pid?: number
    readonly ExitCode?: number
    readonly OOMKilled?: boolean
    readonly Error?: string
    readonly StartedAt?: string
    readonly FinishedAt?: string
  }
}

function parseState(answer: unknown): ContainerState {
  const { Id, Config, HostConfig, State } = answer as RawState
  return {
    id: Id,
    labels: Config?.Labels ?? {},
    status: State.Status ?? '',
    pid: State.Pid ?? 0,
    exitCode: State.ExitCode ?? 0,
    oomKilled: State.OOMKilled ?? false,
    error: State.Error ?? '',
    startedAt: timeOf(State.StartedAt),
    finishedAt: timeOf(State.FinishedAt),
    memoryBytes: HostConfig?.Memory || null,
    command: Config?.Entrypoint?.[0] ?? Config?.Cmd?.[0] ?? '',
    stopSignal: Config?.StopSignal || 'SIGTERM',
  }
}

/** Both engines say "never" as the first moment of the year 1. */
function timeOf(text: string | undefined): number | null {
  const time = Date.parse(text ?? '')
  return Number.isNaN(time) || time <= 0 ? null : time
}
