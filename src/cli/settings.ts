import { homedir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import type { EnginePlaces } from '../executors/container/find.ts'
import { type ServerTarget, chosenServer } from './remote/target.ts'

/** What the environment says to the command line; the only place that reads it. */
export interface Environment {
  readonly stateDir: string
  /**
   * URL of a PostgreSQL database that holds what the file in the state directory would; null for the file. A
   * secret.
   */
  readonly database: string | null
  /** The server that commands are about; null for the state of this machine. Looked up when it is asked for. */
  readonly server: ServerTarget | null
  /** Certificates that a server is trusted by; null for those of the system. */
  readonly caFile: string | null
  readonly color: boolean
  /** Standard output is a terminal. */
  readonly terminal: boolean
  /** A terminal that can be redrawn. */
  readonly live: boolean
  /** Of the terminal, as it is now. */
  readonly columns: number
  readonly rows: number
  readonly user: string
  /** `$KONTROLER_EXECUTOR`: what runs the tasks when no option says it; null when nothing does. */
  readonly executor: string | null
  readonly enginePlaces: EnginePlaces
  /** `$KONTROLER_CONTAINER_NETWORK`, such as `none` or `host`; null for the container engine's own default. */
  readonly containerNetwork: string | null
  /** `$KONTROLER_WEBHOOK_ALLOW`: receivers of webhooks beside public ones and this machine; null for none. */
  readonly webhookAllow: string | null
  /** Where `docker login` and `podman login` keep credentials. */
  readonly credentialFiles: readonly string[]
}

export interface GlobalOptions {
  readonly state?: string | undefined
  readonly database?: string | undefined
  readonly server?: string | undefined
  readonly caFile?: string | undefined
  readonly color?: boolean
}

/** @param output  What `-o` says: where a program reads, nothing is said beside what it asked for. */
export function environment(options: GlobalOptions, output?: string): Environment {
  const { env, stdout } = process
  const tty = stdout.isTTY === true && env['TERM'] !== 'dumb'
  return {
    stateDir: resolve(options.state ?? env['KONTROLER_STATE'] ?? '.kontroler'),
    database: (options.database ?? env['KONTROLER_DATABASE']) || null,
    get server() {
      return chosenServer(options, output)
    },
    caFile: (options.caFile ?? env['KONTROLER_CA_FILE']) || null,
    color: options.color !== false && tty && (env['NO_COLOR'] ?? '') === '',
    terminal: stdout.isTTY === true,
    live: tty && (env['CI'] ?? '') === '',
    get columns() {
      return stdout.columns || 100
    },
    get rows() {
      return stdout.rows || 40
    },
    get user() {
      return env['USER'] ?? userName()
    },
    executor: env['KONTROLER_EXECUTOR'] || null,
    webhookAllow: env['KONTROLER_WEBHOOK_ALLOW'] || null,
    ...containers(env),
  }
}

function containers(
  env: NodeJS.ProcessEnv,
): Pick<Environment, 'enginePlaces' | 'containerNetwork' | 'credentialFiles'> {
  const home = homedir()
  const runtimeDir = env['XDG_RUNTIME_DIR'] || null
  return {
    enginePlaces: {
      dockerHost: env['DOCKER_HOST'] || null,
      containerHost: env['CONTAINER_HOST'] || null,
      home,
      runtimeDir,
    },
    containerNetwork: env['KONTROLER_CONTAINER_NETWORK'] || null,
    credentialFiles: [
      env['REGISTRY_AUTH_FILE'] ?? '',
      runtimeDir === null ? '' : join(runtimeDir, 'containers/auth.json'),
      join(env['DOCKER_CONFIG'] ?? join(home, '.docker'), 'config.json'),
    ].filter(file => file !== ''),
  }
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // An arbitrary uid without an entry in the user database, as some containers have.
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
