import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NODE_ADDRESS, NODE_BRIDGE, PODS_BRIDGE } from './node-config.ts'
import { quietly } from './parts.ts'

/** What a node takes of its machine, beside processes: bridges, a group of cgroups, mounts, names of networks. */
const BRIDGES = [NODE_BRIDGE, PODS_BRIDGE] as const
const CGROUPS = '/sys/fs/cgroup'
const NETWORK_RESULTS = '/var/lib/cni/results'
const INTERFACE_ALIAS = 'kontroler test cluster in '
/** What each Debian package is there for. */
const NEEDED = [
  '/usr/sbin/runc',
  '/usr/lib/cni/bridge',
  '/bin/busybox',
  '/usr/sbin/iptables',
  '/usr/sbin/conntrack',
]

/** Short, and another one for each folder: what of the machine belongs to the cluster there. */
export const hostName = (state: string): string =>
  `kontroler-${createHash('sha256').update(state).digest('hex').slice(0, 10)}`

/** What is known of the cluster in a folder. */
export interface Running {
  /** Any of its processes. */
  any(state: string): boolean
  /** The one that listens at the node's address, where there can be only one. */
  kubelet(state: string): boolean
}

/**
 * Makes the machine ready for the node of a cluster. A kubelet refuses a loopback address, and Services cannot point to
 * one: the node gets one of its own.
 *
 * @throws {Error} Something is missing, or another cluster has the node's address.
 */
export function takeHost(state: string, runs: Running): void {
  if (process.getuid?.() !== 0) throw new Error('--mode full needs root; --mode api does not')
  const missing = NEEDED.filter(path => !existsSync(path))
  if (missing.length > 0) {
    const packages = readFileSync(join(import.meta.dirname, 'debian-packages'), 'utf8').trim()
    const install = `apt-get install ${packages.split('\n').join(' ')}`
    throw new Error(`${missing.join(', ')} is missing, which --mode full needs: ${install}`)
  }
  const owner = ownerOf(NODE_BRIDGE)
  if (owner !== null && owner !== state) {
    // A bridge without a name is of whoever has the address; a name whose cluster is dead counts for nothing.
    const isTaken = owner === '' ? !runs.kubelet(state) : runs.any(owner)
    if (isTaken) throw new Error(taken(owner))
  }
  if (owner === null) {
    execFileSync('ip', ['link', 'add', NODE_BRIDGE, 'type', 'bridge'])
    execFileSync('ip', ['addr', 'add', `${NODE_ADDRESS}/32`, 'dev', NODE_BRIDGE])
    execFileSync('ip', ['link', 'set', NODE_BRIDGE, 'up'])
  }
  if (owner !== state) execFileSync('ip', ['link', 'set', NODE_BRIDGE, 'alias', INTERFACE_ALIAS + state])
  makeCgroups(hostName(state))
}

/**
 * Gives it all back. What belongs to another cluster stays.
 *
 * @param networks  Where the network namespaces of its pods are mounted.
 */
export function leaveHost(state: string, networks: readonly string[]): void {
  const mounted = readFileSync('/proc/mounts', 'utf8').split('\n')
  const paths = mounted.map(line => line.split(' ')[1] ?? '').filter(path => path.startsWith(`${state}/`))
  for (const path of [...paths.toReversed(), ...networks]) quietly('umount', '-l', path)
  for (const path of networks) rmSync(path, { force: true })
  if (ownerOf(NODE_BRIDGE) === state) for (const link of BRIDGES) quietly('ip', 'link', 'delete', link)
  const name = hostName(state)
  if (existsSync(NETWORK_RESULTS))
    for (const file of readdirSync(NETWORK_RESULTS))
      if (file.startsWith(`${name}-`)) rmSync(join(NETWORK_RESULTS, file), { force: true })
  for (const root of cgroupRoots()) removeCgroups(join(root, name))
}

/** Folder of the cluster whose bridge it is; '' when nobody says so; null when there is no such link. */
function ownerOf(link: string): string | null {
  // Not from /sys, which may be that of another network.
  const shown = spawnSync('ip', ['-j', 'link', 'show', 'dev', link], { encoding: 'utf8' })
  if (shown.status !== 0) return null
  const [found] = JSON.parse(shown.stdout) as { readonly ifalias?: string }[]
  const alias = found?.ifalias ?? ''
  return alias.startsWith(INTERFACE_ALIAS) ? alias.slice(INTERFACE_ALIAS.length) : ''
}

function taken(owner: string): string {
  const whose = owner === '' ? 'something that left no name' : `the cluster in ${owner}`
  const end =
    owner === ''
      ? `When nothing listens there any more: ip link delete ${NODE_BRIDGE}`
      : `End it: npm run cluster -- down --state ${owner}, or use it: export KUBECONFIG=${join(owner, 'kubeconfig')}`
  const room = 'and a machine has room for one cluster of --mode full'
  return `the address ${NODE_ADDRESS} (bridge ${NODE_BRIDGE}) is taken by ${whose}, ${room}. ${end}`
}

/** One for each controller in version 1, one for all in version 2. */
function cgroupRoots(): readonly string[] {
  if (existsSync(join(CGROUPS, 'cgroup.controllers'))) return [CGROUPS]
  return readdirSync(CGROUPS)
    .map(name => join(CGROUPS, name))
    .filter(path => existsSync(join(path, 'cgroup.procs')))
}

/** Pods of two kubelets below the same cgroup would be strays to each other. */
function makeCgroups(name: string): void {
  for (const root of cgroupRoots()) {
    mkdirSync(join(root, name), { recursive: true })
    if (root !== CGROUPS) continue
    const controllers = readFileSync(join(root, 'cgroup.controllers'), 'utf8').trim().split(' ')
    for (const folder of [root, join(root, name)])
      for (const controller of controllers) enable(join(folder, 'cgroup.subtree_control'), controller)
  }
}

function enable(file: string, controller: string): void {
  try {
    writeFileSync(file, `+${controller}`)
  } catch {
    // The kubelet says which of them it cannot do without.
  }
}

function removeCgroups(folder: string): void {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroups(join(folder, entry.name))
  try {
    rmdirSync(folder)
  } catch {
    // Something still runs in it, and that is told by whoever looks for processes.
  }
}
