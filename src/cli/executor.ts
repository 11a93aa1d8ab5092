import type { ContainerWork } from '../core/dag/dag.ts'
import type { ContainerEngine, Dialect } from '../executors/container/container-engine.ts'
import type { Launchers } from '../executors/process/launchers.ts'
import type { Executor, Observe } from '../ports/executor.ts'
import type { EngineProbe, Notices } from '../ports/notices.ts'
import type { EngineRow } from '../ports/store.ts'
import { CommandError } from './exit.ts'
import type { Environment } from './settings.ts'

/** What `--executor` may be. */
export const EXECUTOR_KINDS = ['auto', 'docker', 'podman', 'process'] as const
export type ExecutorKind = (typeof EXECUTOR_KINDS)[number]

/** What will run the tasks, decided before anything is started. */
export interface ExecutorChoice {
  /** One line that says so; null when it was asked for by name and needs no words. */
  readonly note: string | null
  ignores(work: ContainerWork): readonly string[]
  open(context: ExecutorContext): Promise<Executor>
}

export interface ExecutorContext {
  readonly stateDir: string
  readonly observe: Observe
  readonly notices: Notices
  readonly probe: EngineProbe
  readonly me: EngineRow
}

/**
 * Docker, then Podman, then processes; or the one that is named.
 * @throws {CommandError} The named engine does not answer.
 */
export async function chooseExecutor(environment: Environment, kind: ExecutorKind): Promise<ExecutorChoice> {
  if (kind === 'process') return await processChoice(environment, null)
  const { findEngine } = await import('../executors/container/find.ts')
  const dialects: readonly Dialect[] = kind === 'auto' ? ['docker', 'podman'] : [kind]
  const tried: string[] = []
  for (const dialect of dialects) {
    const found = await findEngine(dialect, environment.enginePlaces)
    if (found.ok) return await containerChoice(environment, found.engine)
    tried.push(...found.tried)
  }
  if (kind !== 'auto') {
    const fix = `start it, or name its socket with ${kind === 'docker' ? 'DOCKER_HOST' : 'CONTAINER_HOST'}=unix:///…`
    throw new CommandError('NO_CONTAINER_ENGINE', `${kind} does not answer at ${tried.join(' or ')}`, fix)
  }
  return await processChoice(
    environment,
    'note: tasks run as local processes, as neither Docker nor Podman answers',
  )
}

async function processChoice(environment: Environment, note: string | null): Promise<ExecutorChoice> {
  const { ignoredOf } = await import('../executors/process/ignored.ts')
  const { launcherPlace, Launchers } = await import('../executors/process/launchers.ts')
  // While the rest of the program is loaded it gets ready. It goes when this process goes.
  const launchers = new Launchers(launcherPlace())
  launchers.warm()
  return {
    note,
    ignores: ignoredOf,
    async open(context) {
      const other = async (): Promise<Executor | null> => {
        const { findEngine } = await import('../executors/container/find.ts')
        for (const dialect of ['docker', 'podman'] as const) {
          const found = await findEngine(dialect, environment.enginePlaces)
          if (found.ok) return await openContainers(environment, found.engine, context)
        }
        return null
      }
      return await routed('process', await openProcesses(context, launchers), other, context)
    },
  }
}

async function containerChoice(environment: Environment, engine: ContainerEngine): Promise<ExecutorChoice> {
  const { ignoredOf } = await import('../executors/container/ignored.ts')
  const name = engine.dialect === 'podman' ? 'Podman' : 'Docker'
  return {
    note: `note: tasks run in containers of ${name} ${engine.version} (${engine.socket})`,
    ignores: ignoredOf,
    async open(context) {
      const containers = await openContainers(environment, engine, context)
      return await routed('container', containers, () => openProcesses(context), context)
    },
  }
}

async function openProcesses(
  { stateDir, observe }: ExecutorContext,
  launchers?: Launchers,
): Promise<Executor> {
  const { createProcessExecutor } = await import('../executors/process/executor.ts')
  return createProcessExecutor({ stateDir, observe, ...(launchers === undefined ? {} : { launchers }) })
}

async function openContainers(
  environment: Environment,
  engine: ContainerEngine,
  { stateDir, observe, notices, probe, me }: ExecutorContext,
): Promise<Executor> {
  const { createContainerExecutor } = await import('../executors/container/executor.ts')
  return createContainerExecutor({
    stateDir,
    engine,
    observe,
    probe,
    me,
    network: environment.containerNetwork,
    credentialFiles: environment.credentialFiles,
    progress: (message, run) => notices.progress?.(message, run),
    trouble: (code, message, run) => notices.trouble?.(code, message, run),
  })
}

async function routed(
  kind: 'process' | 'container',
  executor: Executor,
  other: () => Promise<Executor | null>,
  { stateDir, observe }: ExecutorContext,
): Promise<Executor> {
  const { createRoutedExecutor } = await import('../executors/routed.ts')
  return createRoutedExecutor({ stateDir, kind, executor, other, observe })
}
