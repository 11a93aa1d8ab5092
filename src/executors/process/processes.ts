import { spawnSync } from 'node:child_process'
import { openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import type { Claim } from './record.ts'
import { startTicks } from './record.ts'

/** A process as the system shows it. */
export interface Process {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
}

const LINUX = process.platform === 'linux'

/** Numbers of processes go up to this and then begin again. */
export const NUMBER_MAX = LINUX ? Number(readFileSync('/proc/sys/kernel/pid_max', 'latin1')) : 0

/** Names this boot of the machine; pids and start times of another boot mean nothing. */
export function bootId(): string {
  if (LINUX) return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const { stdout } = spawnSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' })
  return stdout?.trim() || 'unknown'
}

/** Whether the very process that wrote the claim still runs. A zombie has ended. */
export function isAlive(claim: Claim, boot: string): boolean {
  if (claim.boot !== boot) return false
  if (!LINUX) return isAliveByPs(claim)
  const stat = readProc(claim.pid, 'stat')
  if (stat === null || startTicks(stat) !== claim.started) return false
  return !/^[ZX]/u.test(stat.slice(stat.lastIndexOf(')') + 2))
}

/** Start time of a process in the form of {@link Claim}; empty when there is none. */
export function processStart(pid: number): string {
  if (LINUX) return startTicks(readProc(pid, 'stat') ?? '')
  return spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? ''
}

/** Kept open, as it is read twice for every task: what it says is made anew at each reading. */
let loadavg: number | null = null
const line = Buffer.alloc(128)

/** The number of the process or thread that was created last; 0 when that cannot be known. Linux only. */
export function lastCreated(): number {
  try {
    loadavg ??= openSync('/proc/loadavg', 'r')
    const length = readSync(loadavg, line, 0, line.length, 0)
    return Number(line.toString('latin1', 0, length).split(' ')[4] ?? 0)
  } catch {
    return 0
  }
}

/** How many processes and threads this machine has created since it was started; Linux only. */
export function processesCreated(): number {
  return Number(/^processes (\d+)$/mu.exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? Number.NaN)
}

/** A moment in the life of a machine, told by its processes. Linux only. */
export interface Moment {
  /** The number of the process created last. */
  readonly last: number
  /** How many had been created. */
  readonly created: number
}

export const momentNow = (): Moment => ({ last: lastCreated(), created: processesCreated() })

/** The number above which all are that were created since; null when numbers may have gone all the way round. */
export function numberBefore({ last, created }: Moment): number | null {
  const round = last === 0 || lastCreated() < last || !(processesCreated() - created < NUMBER_MAX / 2)
  return round ? null : last
}

/** The session of a process; null when it has gone. */
export function sessionOf(pid: number): number | null {
  const stat = readProc(pid, 'stat')
  if (stat === null) return null
  const [, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(session)
}

/**
 * Whether a launcher's task hears signals: one of its processes is more than a copy of the launcher that is about to
 * become the task.
 */
export function hasBegun(launcher: number, all: readonly Process[]): boolean {
  if (!LINUX) return true
  const own = readProc(launcher, 'cmdline')
  return all.some(({ pid, parent }) => parent !== launcher || readProc(pid, 'cmdline') !== own)
}

/** Sends a signal; false when there is nothing to send it to (any more). A negative pid means the group. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

/**
 * The processes of an attempt, or of a whole run, without the launcher itself.
 *
 * They are found by session and group while the launcher lives, by their parents, and by the environment they were
 * started with: `KONTROLER_OUTPUT` names a file in the attempt's own folder, which also survives `setsid` and double
 * forks. Where there is no `/proc` (macOS) only session, group and parents tell; a process that left all three
 * behind, or that cleared its environment as well, is not found.
 *
 * @param folder    The attempt's or the run's folder.
 * @param launcher  Its pid, when it is known to be alive; null otherwise, since the number may be another's by now.
 * @param above     Only processes with numbers above this one are looked at, when all others are known to be older.
 */
export function descendants(folder: string, launcher: number | null, above: number | null = null): Process[] {
  const mark = `KONTROLER_OUTPUT=${folder}/`
  const all = processes(above ?? 0)
  const found = new Set<number>()
  for (const { pid, group, session } of all) {
    const inside = launcher !== null && (group === launcher || session === launcher)
    if (inside || marked(pid, mark)) found.add(pid)
  }
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid)
  }
  return all.filter(({ pid }) => found.has(pid) && pid !== launcher && pid !== process.pid)
}

/** Zombies are left out: they have ended, and only their parent can make them go. */
function processes(above: number): Process[] {
  return LINUX ? processesOfProc(above) : processesOfPs()
}

/** Numbers of all processes that can be seen; Linux only. */
export function pids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

function processesOfProc(above: number): Process[] {
  const all: Process[] = []
  for (const pid of pids()) {
    if (pid <= above) continue
    const stat = readProc(pid, 'stat')
    if (stat === null) continue
    const [state = '', parent, group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state === 'Z' || state === 'X') continue
    all.push({ pid, parent: Number(parent), group: Number(group), session: Number(session) })
  }
  return all
}

function processesOfPs(): Process[] {
  const { stdout } = spawnSync('ps', ['-axo', 'pid=,ppid=,pgid=,stat='], { encoding: 'utf8' })
  return (stdout ?? '').split('\n').flatMap(line => {
    const [pid, parent, group, state] = line.trim().split(/\s+/u)
    if (state === undefined || state.startsWith('Z')) return []
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group), session: Number(group) }]
  })
}

function marked(pid: number, mark: string): boolean {
  const environment = LINUX ? readProc(pid, 'environ') : null
  return environment !== null && (environment.startsWith(mark) || environment.includes(`\0${mark}`))
}

function isAliveByPs(claim: Claim): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(claim.pid)], { encoding: 'utf8' })
  const line = stdout?.trim() ?? ''
  return line !== '' && !line.startsWith('Z') && line.endsWith(claim.started)
}

/** Null when the process has gone or is somebody else's. Read as latin1: it is bytes, and only compared. */
function readProc(pid: number, file: 'stat' | 'environ' | 'cmdline'): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return null
  }
}
