import { connect, type ContainerEngine, type Dialect } from './container-engine.ts'

/** What of the environment says where container engines are; read by the command line. */
export interface EnginePlaces {
  /** `$DOCKER_HOST` and `$CONTAINER_HOST`; a place that is not a Unix socket on this machine cannot be used. */
  readonly dockerHost: string | null
  readonly containerHost: string | null
  readonly home: string
  /** `$XDG_RUNTIME_DIR`, where engines of a user have their sockets. */
  readonly runtimeDir: string | null
}

/** How long a socket may take to say who is there: an engine that is started by being asked takes its time. */
const ANSWER_MS_MAX = 10_000

export type Found =
  | { readonly ok: true; readonly engine: ContainerEngine }
  /** What was tried, for people. */
  | { readonly ok: false; readonly tried: readonly string[] }

/** The first socket at which that engine answers. */
export async function findEngine(dialect: Dialect, places: EnginePlaces): Promise<Found> {
  const tried: string[] = []
  for (const place of socketsOf(dialect, places)) {
    const socket = place.startsWith('/') ? place : socketOf(place)
    if (socket === null) {
      tried.push(`${place} (only Unix sockets of this machine)`)
      continue
    }
    try {
      const engine = await connect(socket, AbortSignal.timeout(ANSWER_MS_MAX))
      // Podman may stand in for Docker at its socket: then that is what it is.
      if (engine.dialect === dialect || dialect === 'docker') return { ok: true, engine }
    } catch {
      // Nobody there, or nobody that this user may talk to.
    }
    tried.push(socket)
  }
  return { ok: false, tried }
}

/** Where to look, best first. A place that somebody named is the only one. */
export function socketsOf(dialect: Dialect, places: EnginePlaces): readonly string[] {
  const named = dialect === 'docker' ? places.dockerHost : places.containerHost
  if (named !== null && named !== '') return [named]
  const { home, runtimeDir } = places
  if (dialect === 'docker') {
    const own = runtimeDir === null ? [] : [`${runtimeDir}/docker.sock`]
    return ['/var/run/docker.sock', ...own, `${home}/.docker/run/docker.sock`]
  }
  const own = runtimeDir === null ? [] : [`${runtimeDir}/podman/podman.sock`]
  return [...own, '/run/podman/podman.sock']
}

const socketOf = (place: string): string | null => /^unix:\/\/(\/.+)$/u.exec(place)?.[1] ?? null
