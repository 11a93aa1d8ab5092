import { spawn } from 'node:child_process'
import { closeSync, constants, existsSync, mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { workspacePath } from '../../core/run/attempt-path.ts'
import type { Outcome } from '../../core/run/events.ts'
import type { AttemptSpec } from '../../ports/executor.ts'
import type { Command } from './command.ts'
import { findCommand, refusal, scriptCommand, whyNoWorkdir } from './command.ts'
import type { TaskEnvironment } from './environment.ts'
import { taskEnvironment } from './environment.ts'
import { startError } from './outcome.ts'
import { codeOf } from './record.ts'

/** Everything a launcher is spawned with; made without starting anything. */
export interface Launch {
  readonly folder: string
  readonly argv: readonly string[]
  readonly environment: TaskEnvironment
  readonly workdir: string
}

/** Who runs an attempt that was handed over. */
export interface Launcher {
  readonly pid: number
  /** Its attempt is not looked after any more: nothing is called, and the engine's process does not stay for it. */
  letGo(): void
}

/**
 * Called once when the launcher has done all it can for the attempt, and nothing of its group runs any more.
 *
 * @param code  What the launcher exited with; null when it did not, or was killed.
 * @param ran   It has told that the attempt ended, so the task is not to be started again, whatever its files say.
 */
export type Over = (code: number | null, ran: boolean) => void

/** What all launches of one executor have in common. */
export interface Place {
  /** The state directory, without symbolic links. */
  readonly state: string
  readonly boot: string
  /** The shell that runs the launcher. */
  readonly shell: readonly string[]
  /** Octal text: tasks begin with the engine's own, the launcher's files are made under 077. */
  readonly umask: string
}

export const LAUNCHER = fileURLToPath(new URL('./launch.sh', import.meta.url))
export const ENV_COMMAND = existsSync('/usr/bin/env') ? '/usr/bin/env' : '/bin/env'

/** Makes an attempt's folder ready and decides what is to run; or says why that cannot be. */
export function prepare(spec: AttemptSpec, folder: string, place: Place): Launch | Outcome {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const workspace = spec.workspace ? join(place.state, workspacePath(spec.run)) : null
  if (workspace !== null) mkdirSync(workspace, { recursive: true, mode: 0o700 })

  const workdir = resolve(spec.workdir ?? workspace ?? process.cwd())
  const noWorkdir = whyNoWorkdir(workdir)
  if (noWorkdir !== null) return refusal('CONFIG_ERROR', noWorkdir)

  const environment = environmentOf(spec, folder, workspace)
  const command = commandOf(spec, folder, environment.path, workdir)
  if (!command.ok) return command.outcome
  const problem = whyNotPassedOn(environment, command.argv)
  if (problem !== null) return refusal('CONFIG_ERROR', problem)
  if (spec.outputs.length > 0) closeSync(openAppending(join(folder, 'output')))
  closeSync(openAppending(join(folder, 'log')))
  return { folder, argv: command.argv, environment, workdir }
}

/**
 * Spawns the launcher in a session of its own. It may find that the attempt has been claimed or revoked, and then
 * starts nothing.
 *
 * @param failed  Called later, at most once, when the machine did not let it be spawned.
 */
export function spawnLauncher(
  launch: Launch,
  place: Place,
  failed: (outcome: Outcome) => void,
  over: Over,
): Launcher | Outcome {
  const { folder, argv, environment, workdir } = launch
  const [shell = '/bin/sh', ...shellArgs] = place.shell
  const log = openAppending(join(folder, 'log'))
  try {
    const own = [LAUNCHER, folder, place.boot, place.umask, String(environment.oddCount), ENV_COMMAND]
    const child = spawn(shell, [...shellArgs, ...own, ...argv], {
      cwd: workdir,
      env: { ...environment.variables },
      detached: true,
      stdio: ['ignore', log, log],
    })
    child.once('error', error => failed(spawnFailure(error)))
    child.once('exit', code => over(code, false))
    return { pid: child.pid ?? 0, letGo: () => child.removeAllListeners('exit').unref() }
  } catch (error) {
    return spawnFailure(error)
  } finally {
    closeSync(log)
  }
}

function environmentOf(spec: AttemptSpec, folder: string, workspace: string | null): TaskEnvironment {
  return taskEnvironment(process.env, spec.env, spec.secretNames, {
    KONTROLER_ATTEMPT_ID: `${spec.run}/${spec.task}/${spec.attempt}`,
    KONTROLER_OUTPUT: join(folder, 'output'),
    ...(workspace === null ? {} : { KONTROLER_WORKSPACE: workspace }),
  })
}

function commandOf(spec: AttemptSpec, folder: string, path: string, workdir: string): Command {
  const { script, command, args } = spec.work
  if (script === null) return findCommand([...command, ...args], path, workdir)
  const file = join(folder, 'script')
  // Renamed into place: another engine's launcher may be about to execute it.
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, script, { mode: 0o700 })
  renameSync(draft, file)
  return scriptCommand(file, script, args)
}

function whyNotPassedOn(environment: TaskEnvironment, argv: readonly string[]): string | null {
  if (environment.problem !== null) return environment.problem
  if (argv.some(argument => argument.includes('\0'))) return 'an argument holds a NUL character'
  if (environment.oddCount > 0 && argv[0]?.includes('=') === true)
    return 'a command whose path holds "=" cannot have variables under names that a shell keeps for itself'
  return null
}

function openAppending(file: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants
  return openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600)
}

function spawnFailure(error: unknown): Outcome {
  const code = codeOf(error)
  if (code === 'E2BIG')
    return refusal(
      'CONFIG_ERROR',
      'its arguments and environment together are larger than this machine allows',
    )
  if (code === 'ERR_INVALID_ARG_VALUE')
    return refusal('CONFIG_ERROR', 'an argument or variable holds a NUL character')
  return startError(`no process could be started (${code || String(error)})`)
}
