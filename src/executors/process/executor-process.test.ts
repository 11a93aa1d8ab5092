import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutorHarness } from '../../../test/contracts/executor-harness.ts'
import { executorContract } from '../../../test/contracts/executor.ts'
import { createFilesystemLogs } from '../../archives/filesystem/logs.ts'
import type { Executor } from '../../ports/executor.ts'
import { createProcessExecutor } from './executor.ts'
import { descendants } from './processes.ts'

executorContract('process executor', async () => processHarness())

async function processHarness(): Promise<ExecutorHarness> {
  const stateDir = await realpath(await mkdtemp(join(tmpdir(), 'kontroler-process-')))
  const open: Executor[] = []
  return {
    open(observe) {
      const executor = createProcessExecutor({ stateDir, observe })
      open.push(executor)
      return executor
    },
    logs: createFilesystemLogs(stateDir),
    workdir: stateDir,
    leftovers: () => descendants(join(stateDir, 'runs'), null).map(({ pid }) => `process ${pid}`),
    async remove() {
      for (const executor of open) await executor.endRun('run-1', { removeWorkspace: true })
      for (const executor of open) await executor.close()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}
