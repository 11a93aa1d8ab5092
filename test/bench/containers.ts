import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Dialect } from '../../src/executors/container/container-engine.ts'
import { type Daemon, IMAGE, startDaemon, whyNoDaemon } from '../contracts/container/daemon.ts'
import { atMost, type BenchOptions, type Figure, figureOf, type Figures, missing } from './figure.ts'

const BIN = fileURLToPath(new URL('../../bin/kontroler.js', import.meta.url))

/** Containers of one run, one after the other. */
const LENGTH = 10
/** Most that a container may cost with Kontroler, against the runtime's own client. */
const GOAL = atMost(1.3)

/**
 * A chain of tasks that do nothing, as one durable run with its logs, from command line to exit; against as many
 * `docker run --rm` (`podman run --rm`) one after the other. Both take turns, so that they meet the same machine.
 */
export const figures: Figures = async options => {
  const all: Figure[] = []
  for (const dialect of ['docker', 'podman'] as const) {
    const name = `containers/${dialect}`
    if (!name.includes(options.only)) continue
    const why = whyNoDaemon(dialect)
    if (why !== null) all.push(missing(`${name}-against-run`, '×', GOAL, why))
    else all.push(...(await figuresOf(dialect, name, options)))
  }
  return all
}

async function figuresOf(dialect: Dialect, name: string, options: BenchOptions): Promise<readonly Figure[]> {
  const daemon = await startDaemon(dialect)
  const folder = mkdtempSync(join(tmpdir(), 'kontroler-bench-'))
  try {
    writeFileSync(join(folder, 'chain.yaml'), chain(LENGTH))
    const ours: number[] = []
    const theirs: number[] = []
    for (let round = 0; round <= options.rounds; round += 1) {
      options.say(`${name}: round ${round} of ${options.rounds}`)
      const one = timed(() => runChain(daemon, folder)) / LENGTH
      const other = timed(() => runAlone(daemon, LENGTH)) / LENGTH
      // Round 0 warms the page cache.
      if (round === 0) continue
      ours.push(one)
      theirs.push(other)
    }
    const ratios = ours.map((value, index) => value / (theirs[index] ?? Number.NaN))
    return [
      figureOf(
        `${name}-against-run`,
        ratios,
        '×',
        GOAL,
        `${LENGTH} containers in a chain, against ${dialect} run`,
      ),
      figureOf(name, ours, 'ms', null, 'one container of the chain'),
      figureOf(`${name}-run`, theirs, 'ms', null, `one ${dialect} run --rm`),
    ]
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
