import { mkdtempSync, realpathSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFilesystemLogs } from '../../../src/archives/filesystem/logs.ts'
import { attemptPath } from '../../../src/core/run/attempt-path.ts'
import type { ContainerEngine } from '../../../src/executors/container/container-engine.ts'
import {
  type ContainerExecutorOptions,
  createContainerExecutor,
} from '../../../src/executors/container/executor.ts'
import { stateLabels } from '../../../src/executors/container/names.ts'
import { bootId, isAlive, processStart } from '../../../src/executors/process/processes.ts'
import { stateIdentity } from '../../../src/executors/state-identity.ts'
import type { AttemptRef, Executor } from '../../../src/ports/executor.ts'
import type { ExecutorHarness } from '../executor-harness.ts'
import { IMAGE } from './daemon.ts'

export interface ContainerPlace extends ExecutorHarness {
  readonly stateDir: string
  readonly said: string[]
  readonly engine: ContainerEngine
  folder(ref: AttemptRef): string
}

export const me = (): ContainerExecutorOptions['me'] => ({
  pid: process.pid,
  processStart: processStart(process.pid),
  bootId: bootId(),
  host: hostname(),
})

export const probe: ContainerExecutorOptions['probe'] = {
  isAlive: engine =>
    isAlive({ pid: engine.pid, started: engine.processStart, boot: engine.bootId }, bootId()),
}

/** A state directory of its own for containers of this engine. */
export function containerPlace(
  engine: ContainerEngine,
  options: Partial<ContainerExecutorOptions> = {},
): ContainerPlace {
  const stateDir = realpathSync(mkdtempSync(join(tmpdir(), 'kontroler-container-')))
  const open: Executor[] = []
  const said: string[] = []
  return {
    stateDir,
    said,
    engine,
    image: IMAGE,
    folder: ref => join(stateDir, attemptPath(ref.run, ref.task, ref.attempt)),
    open(observe) {
      const executor = createContainerExecutor({
        stateDir,
        engine,
        observe,
        me: me(),
        probe,
        network: 'none',
        progress: message => said.push(message),
        trouble: (code, message) => said.push(`${code}: ${message}`),
        ...options,
      })
      open.push(executor)
      return executor
    },
    logs: createFilesystemLogs(stateDir),
    workdir: stateDir,
    leftovers: async () =>
      (await engine.list(stateLabels(stateIdentity(stateDir))))
        .filter(({ state }) => state === 'running')
        .map(({ id, labels }) => `container ${id} ${JSON.stringify(labels)}`),
    async remove() {
      for (const executor of open) await executor.endRun('run-1', { removeWorkspace: true })
      for (const executor of open) await executor.close()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}
