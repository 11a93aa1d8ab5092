import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createFilesystemLogs } from '../../src/archives/filesystem/logs.ts'
import { attemptPath } from '../../src/core/run/attempt-path.ts'
import { createProcessExecutor } from '../../src/executors/process/executor.ts'
import { descendants } from '../../src/executors/process/processes.ts'
import type { AttemptRef, Executor } from '../../src/ports/executor.ts'
import type { ExecutorHarness } from './executor-harness.ts'

export interface ProcessPlace extends ExecutorHarness {
  readonly stateDir: string
  folder(ref: AttemptRef): string
  leftovers(): readonly string[]
}

/** A state directory of its own for processes of this machine. */
export function processPlace(shell?: readonly string[]): ProcessPlace {
  const stateDir = realpathSync(mkdtempSync(join(tmpdir(), 'kontroler-process-')))
  const open: Executor[] = []
  return {
    stateDir,
    folder: ref => join(stateDir, attemptPath(ref.run, ref.task, ref.attempt)),
    open(observe) {
      const executor = createProcessExecutor({ stateDir, observe, ...(shell === undefined ? {} : { shell }) })
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
      await allWaitedFor()
    },
  }
}

/** A child that has just ended is waited for in a later turn; one that never is would stay a zombie. */
async function allWaitedFor(): Promise<void> {
  for (let turn = 0; turn < 250 && zombies().length > 0; turn += 1) await delay(20)
  assert.deepEqual(zombies(), [])
}

function zombies(): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc').flatMap(pid => {
    if (!/^\d+$/.test(pid)) return []
    try {
      const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ')
      return state === 'Z' && Number(parent) === process.pid ? [`zombie ${pid}`] : []
    } catch {
      return []
    }
  })
}
