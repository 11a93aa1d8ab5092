import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Dialect } from '../../src/executors/container/container-engine.ts'
import { type Daemon, IMAGE, startDaemon } from '../contracts/container/daemon.ts'

const BIN = fileURLToPath(new URL('../../bin/kontroler.js', import.meta.url))

/** What a container costs when Kontroler runs it, against the runtime's own client. */
export interface ContainerCost {
  readonly dialect: Dialect
  /** Milliseconds for one container, medians of the rounds. */
  readonly ours: number
  readonly theirs: number
  /** Median of the ratios of each round; the goal is 1.3. */
  readonly ratio: number
}

/**
 * A chain of tasks that do nothing, as one durable run with its logs, from command line to exit; against as many
 * `docker run --rm` (`podman run --rm`) one after the other. Rounds alternate, so that both meet the same machine.
 *
 * @throws When the daemon cannot be started; `whyNoDaemon` says so before.
 */
export async function containerCost(dialect: Dialect, rounds = 5, length = 10): Promise<ContainerCost> {
  const daemon = await startDaemon(dialect)
  const folder = mkdtempSync(join(tmpdir(), 'kontroler-bench-'))
  try {
    writeFileSync(join(folder, 'chain.yaml'), chain(length))
    const ours: number[] = []
    const theirs: number[] = []
    for (let round = -1; round < rounds; round += 1) {
      const one = timed(() => runChain(daemon, folder)) / length
      const other = timed(() => runAlone(daemon, length)) / length
      // The first round warms the page cache.
      if (round < 0) continue
      ours.push(one)
      theirs.push(other)
    }
    const ratio = median(ours.map((value, index) => value / (theirs[index] ?? Number.NaN)))
    return { dialect, ours: median(ours), theirs: median(theirs), ratio }
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await daemon.remove()
  }
}

function chain(length: number): string {
  const tasks = Array.from({ length }, (_, index) => {
    const after = index === 0 ? '' : `, runAfter: [t${index - 1}]`
    return `    - {name: t${index}, image: ${IMAGE}, command: ['true']${after}}`
  })
  return `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: chain}
spec:
  task:
${tasks.join('\n')}
`
}

function runChain(daemon: Daemon, folder: string): void {
  const args = ['--state', join(folder, 'state'), 'run', join(folder, 'chain.yaml'), '-o', 'none']
  const host = daemon.dialect === 'docker' ? 'DOCKER_HOST' : 'CONTAINER_HOST'
  const env = {
    ...process.env,
    KONTROLER_EXECUTOR: daemon.dialect,
    KONTROLER_CONTAINER_NETWORK: 'none',
    [host]: `unix://${daemon.socket}`,
  }
  expectSuccess(spawnSync(process.execPath, [BIN, ...args], { env, encoding: 'utf8' }))
}

function runAlone(daemon: Daemon, times: number): void {
  for (let time = 0; time < times; time += 1)
    expectSuccess(daemon.client('run', '--rm', '--network', 'none', IMAGE, 'true'))
}

function expectSuccess({
  status,
  stderr,
}: {
  readonly status: number | null
  readonly stderr: string
}): void {
  if (status !== 0) throw new Error(`a run failed: ${stderr}`)
}

function timed(work: () => void): number {
  const before = performance.now()
  work()
  return performance.now() - before
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}
