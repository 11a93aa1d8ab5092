import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { workspacePath } from '../../../src/core/run/attempt-path.ts'
import type { AttemptSpec } from '../../../src/ports/executor.ts'
import { attempt, logText, Watched } from '../executor-harness.ts'
import type { Daemon } from './daemon.ts'
import type { ContainerPlace } from './place.ts'

const ENGINE = fileURLToPath(new URL('./engine-process.ts', import.meta.url))
const ATTEMPTS = 3

/**
 * Kills an engine that has asked for attempts, at moments spread over all it does, and lets another go on: whatever ran
 * ran once, and what its end is said to be is what it did.
 */
export async function killedAtRandom(place: ContainerPlace, daemon: Daemon, rounds: number): Promise<void> {
  let started = 0
  for (let round = 0; round < rounds; round += 1) {
    const sh = 'echo "$KONTROLER_ATTEMPT_ID" >> "$KONTROLER_WORKSPACE/ran"; echo ran; sleep 0.1; exit 4'
    const specs = Array.from({ length: ATTEMPTS }, () => attempt(place, { sh, workspace: true }))
    await killedAfter(place, daemon, specs, (700 * round) / rounds)
    const watched = new Watched(place)
    for (const spec of specs) {
      const outcome = await watched.run(spec)
      const times = timesRun(place, spec)
      if (outcome.kind === 'startError') assert.equal(times, 0, outcome.message ?? '')
      else {
        assert.deepEqual([outcome.kind, outcome.exitCode, times], ['exitCode', 4, 1])
        assert.equal(await logText(place, spec), 'ran\n')
        started += 1
      }
    }
    await watched.executor.close()
  }
  assert.ok(started > 0)
}

async function killedAfter(
  place: ContainerPlace,
  daemon: Daemon,
  specs: readonly AttemptSpec[],
  delayMs: number,
): Promise<void> {
  const child = spawn(process.execPath, [ENGINE, daemon.socket, place.stateDir, JSON.stringify(specs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  })
  const over = once(child, 'exit')
  await once(child.stdout, 'data')
  await delay(delayMs)
  child.kill('SIGKILL')
  await over
}

function timesRun(place: ContainerPlace, spec: AttemptSpec): number {
  const file = join(place.stateDir, workspacePath(spec.run), 'ran')
  if (!existsSync(file)) return 0
  const id = `${spec.run}/${spec.task}/${spec.attempt}`
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line === id).length
}
