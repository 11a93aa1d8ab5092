import { userInfo } from 'node:os'
import { resolve } from 'node:path'

/** What the environment says to the command line; the only place that reads it. */
export interface Environment {
  readonly stateDir: string
  readonly color: boolean
  /** Standard output is a terminal. */
  readonly terminal: boolean
  /** A terminal that can be redrawn. */
  readonly live: boolean
  /** Of the terminal, as it is now. */
  readonly columns: number
  readonly rows: number
  readonly user: string
}

export function environment(stateDir: string | undefined, color: boolean): Environment {
  const { env, stdout } = process
  const tty = stdout.isTTY === true && env['TERM'] !== 'dumb'
  return {
    stateDir: resolve(stateDir ?? env['KONTROLER_STATE'] ?? '.kontroler'),
    color: color && tty && (env['NO_COLOR'] ?? '') === '',
    terminal: stdout.isTTY === true,
    live: tty && (env['CI'] ?? '') === '',
    get columns() {
      return stdout.columns || 100
    },
    get rows() {
      return stdout.rows || 40
    },
    user: env['USER'] ?? userName(),
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
