import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BenchOptions, Figure, Figures, Goal } from './figure.ts'
import { atLeast, atMost, figureOf, missing } from './figure.ts'
import type { Peer } from './peers.ts'
import { dagu, daguEnvironment, SCRATCH, spawnLoop, system, timed } from './peers.ts'
import type { Contestant, Times } from './rounds.ts'
import { difference, ratios, rounds } from './rounds.ts'
import type { Shape } from './shapes.ts'
import { chain, fan } from './shapes.ts'

const KONTROLER = fileURLToPath(new URL('../../bin/kontroler.js', import.meta.url))
const BUNDLE = fileURLToPath(new URL('../../bin/bundle.js', import.meta.url))
const ENGINE = fileURLToPath(new URL('./spawn-engine.ts', import.meta.url))
const PARALLEL = 4
const ENGINE_MB = 1024
/** Enough that the rate is told, and not the start. */
const ENGINE_TASKS = 4_000

/** The figures of the engine on one machine: a chain, a fan-out, one task, the spawn path, short commands. */
export const figures: Figures = async options => {
  // As after `npm ci`: without it, what was edited since would be measured as it runs from its sources.
  await timed(process.execPath, [BUNDLE])
  const peers: Peers = {
    loop: spawnLoop(),
    dagu: dagu(),
    snakemake: system('snakemake', '--version'),
    make: system('make', '--version'),
  }
  const parts = [chainFigures, fanFigures, spawnFigures, commandFigures]
  const all: Figure[] = []
  for (const part of parts) all.push(...(await part(options, peers)))
  return all
}

interface Peers {
  readonly loop: Peer
  readonly dagu: Peer
  readonly snakemake: Peer
  readonly make: Peer
}

/** A run of 100 tasks one after another, and one of a single task: their difference is what 99 tasks cost. */
async function chainFigures(options: BenchOptions, peers: Peers): Promise<readonly Figure[]> {
  if (!'chain-100 one-task'.includes(options.only) && !options.only.startsWith('chain')) return []
  const [one, hundred] = [chain(1), chain(100)]
  const { times, noisy } = await rounds(options, 'chain of 100', loop(peers.loop, 100, 1), {
    'kontroler one': kontroler(one),
    'kontroler 100': kontroler(hundred),
    node: () => timed(process.execPath, ['-e', '0']).then(({ ms }) => ms),
    ...withPeer(peers.dagu, file => ({
      'dagu one': withDagu(file, one),
      'dagu 100': withDagu(file, hundred),
    })),
    ...withPeer(peers.snakemake, file => ({
      'snakemake one': withSnakemake(file, one),
      'snakemake 100': withSnakemake(file, hundred),
    })),
    ...withPeer(peers.make, file => ({ 'make 100': withMake(file, hundred) })),
  })
  const all = new Map(times)
  for (const system of ['kontroler', 'dagu', 'snakemake'])
    for (const cpu of ['', ' cpu'])
      if (times.has(`${system} 100`))
        all.set(`${system} engine${cpu}`, difference(times, `${system} 100${cpu}`, `${system} one${cpu}`))
  const ratio = ratioFigures(all, peers, noisy)
  return [
    told(all, 'chain-100/ms', 'kontroler engine', 'without the start-up: 100 tasks less one task'),
    told(all, 'chain-100/floor-ms', 'floor', 'bare posix_spawn loop'),
    ratio('chain-100/loop', 'kontroler engine', 'floor', atMost(2), 'loop'),
    ratio('chain-100/loop-cpu', 'kontroler engine cpu', 'floor cpu', null, 'loop'),
    ratio('chain-100/make', 'kontroler engine', 'make 100', atMost(1.8), 'make'),
    ratio('chain-100/dagu-engine', 'dagu engine', 'kontroler engine', atLeast(10), 'dagu'),
    ratio('chain-100/dagu-command', 'dagu 100', 'kontroler 100', atLeast(10), 'dagu'),
    ratio('chain-100/snakemake-engine', 'snakemake engine', 'kontroler engine', atLeast(10), 'snakemake'),
    ratio('chain-100/snakemake-command', 'snakemake 100', 'kontroler 100', atLeast(10), 'snakemake'),
    told(all, 'one-task/ms', 'kontroler one', 'command line to exit'),
    ratio('one-task/dagu', 'kontroler one', 'dagu one', atMost(1), 'dagu'),
    ratio('one-task/node', 'kontroler one', 'node', atMost(5), null),
    ratio('one-task/snakemake', 'snakemake one', 'kontroler one', atLeast(4), 'snakemake'),
  ]
}

async function fanFigures(options: BenchOptions, peers: Peers): Promise<readonly Figure[]> {
  if (!'fan-1000'.includes(options.only) && !options.only.startsWith('fan')) return []
  const [one, wide] = [chain(1), fan(1000)]
  const { times, noisy } = await rounds(options, 'fan-out of 1,000', loop(peers.loop, 1002, PARALLEL), {
    'kontroler one': kontroler(one),
    'kontroler fan': kontroler(wide),
    ...withPeer(peers.make, file => ({ 'make fan': withMake(file, wide) })),
    ...withPeer(peers.dagu, file => ({ 'dagu fan': withDagu(file, wide) })),
  })
  const all = new Map(times)
  for (const cpu of ['', ' cpu'])
    all.set(`kontroler engine${cpu}`, difference(times, `kontroler fan${cpu}`, `kontroler one${cpu}`))
  const ratio = ratioFigures(all, peers, noisy)
  return [
    told(all, 'fan-1000/ms', 'kontroler engine', 'without the start-up: less the run of one task'),
    told(all, 'fan-1000/floor-ms', 'floor', 'bare posix_spawn loop, 4 at once'),
    ratio('fan-1000/loop-rate', 'floor', 'kontroler engine', atLeast(0.75), 'loop'),
    ratio('fan-1000/loop-cpu', 'kontroler engine cpu', 'floor cpu', null, 'loop'),
    ratio('fan-1000/dagu-cpu', 'dagu fan cpu', 'kontroler fan cpu', null, 'dagu'),
    ratio('fan-1000/make-rate', 'make fan', 'kontroler engine', atLeast(0.8), 'make'),
    ratio('fan-1000/dagu-command', 'dagu fan', 'kontroler fan', atLeast(40), 'dagu'),
  ]
}

/** The executor alone, in a small process and in one of 1 GB: its rate must not fall with the engine's size. */
async function spawnFigures(options: BenchOptions, peers: Peers): Promise<readonly Figure[]> {
  if (!'spawn-rate'.includes(options.only) && !options.only.startsWith('spawn')) return []
  const engine =
    (megabytes: number): Contestant =>
    async () => {
      const state = emptyState()
      const args = [ENGINE, state, String(ENGINE_TASKS), '8', String(megabytes)]
      return Number((await timed(process.execPath, args)).stdout)
    }
  const { times, noisy } = await rounds(options, 'spawn rate', loop(peers.loop, ENGINE_TASKS, 8), {
    small: engine(0),
    large: engine(ENGINE_MB),
  })
  const ratio = ratioFigures(times, peers, noisy)
  return [
    ratio('spawn-rate/loop', 'floor', 'small', null, 'loop'),
    ratio('spawn-rate/loop-1GB', 'floor', 'large', atLeast(0.6), 'loop'),
  ]
}

/** Short commands against a Node that does nothing. */
async function commandFigures(options: BenchOptions): Promise<readonly Figure[]> {
  const commands = { '--version': ['--version'], list: ['list'], validate: ['validate', chain(1).kontroler] }
  const asked = Object.entries(commands).filter(([name]) => `command/${name}`.includes(options.only))
  if (asked.length === 0) return []
  const state = emptyState()
  await timed(process.execPath, [
    KONTROLER,
    'run',
    '--executor',
    'process',
    '--state',
    state,
    '-o',
    'none',
    chain(1).kontroler,
  ])
  const goal = atMost(2)
  const found: Figure[] = []
  const node: Contestant = async () => (await timed(process.execPath, ['-e', '0'])).ms
  const contestants: Record<string, Contestant> = {}
  for (const [name, args] of asked) {
    const run: Contestant = async () =>
      (await timed(process.execPath, [KONTROLER, '--state', state, ...args])).ms
    try {
      await run()
      contestants[name] = run
    } catch {
      found.push(missing(`command/${name}`, '×', goal, 'there is no such command yet'))
    }
  }
  const { times, noisy } = await rounds(
    { ...options, rounds: options.rounds * 3 },
    'commands',
    node,
    contestants,
  )
  for (const name of Object.keys(contestants)) {
    const ms = figureOf('', times.get(name) ?? [], 'ms', null)
    const detail = `${ms.value.toFixed(0)} ms against an empty node${noisy > 0 ? `, ${noisy} rounds noisy` : ''}`
    found.push(figureOf(`command/${name}`, ratios(times, name, 'floor'), '×', goal, detail))
  }
  return found
}

const told = (times: Times, name: string, contestant: string, detail: string): Figure =>
  figureOf(name, times.get(contestant) ?? [], 'ms', null, detail)

function ratioFigures(times: Times, peers: Peers, noisy: number) {
  return (name: string, of: string, to: string, goal: Goal | null, needs: keyof Peers | null): Figure => {
    const peer = needs === null ? null : peers[needs]
    if (peer?.file === null) return missing(name, '×', goal, peer.why)
    return figureOf(name, ratios(times, of, to), '×', goal, noisy === 0 ? '' : `${noisy} rounds noisy`)
  }
}

const withPeer = (
  peer: Peer,
  contestants: (file: string) => Record<string, Contestant>,
): Record<string, Contestant> => (peer.file === null ? {} : contestants(peer.file))

/** Without a compiler the floor is an empty Node, so that rounds still have one; no ratio is made of it then. */
function loop(peer: Peer, count: number, parallel: number): Contestant {
  if (peer.file === null) return async () => (await timed(process.execPath, ['-e', '0'])).ms
  const { file } = peer
  return async () => Number((await timed(file, [String(count), String(parallel), '/bin/true'])).stdout)
}

let states = 0
/** Removed at the very end only: a file system may be slow for seconds in making files where many were removed. */
function emptyState(): string {
  states += 1
  return join(SCRATCH, `state-${states}`)
}

/** A whole command: from the state directory's making to the exit. */
function kontroler(shape: Shape): Contestant {
  return async () => {
    const state = emptyState()
    const args = [
      'run',
      '--executor',
      'process',
      '--state',
      state,
      '--max-parallel',
      String(PARALLEL),
      '-o',
      'none',
      shape.kontroler,
    ]
    const { ms } = await timed(process.execPath, [KONTROLER, ...args])
    return ms
  }
}

function withDagu(file: string, shape: Shape): Contestant {
  return async () => {
    const { ms } = await timed(file, ['start', '--quiet', shape.dagu], { env: daguEnvironment(emptyState()) })
    return ms
  }
}

function withSnakemake(file: string, shape: Shape): Contestant {
  return async () => {
    const cwd = emptyState()
    mkdirSync(cwd)
    writeFileSync(join(cwd, 'Snakefile'), readFileSync(shape.snakefile))
    const { ms } = await timed(file, ['--cores', String(PARALLEL), '--quiet'], { cwd })
    return ms
  }
}

function withMake(file: string, shape: Shape): Contestant {
  return async () => (await timed(file, [`-j${PARALLEL}`, '-f', shape.makefile])).ms
}
