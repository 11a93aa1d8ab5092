import type { Json } from '../../core/json.ts'
import { type Fields, fieldsOf, listOf } from './template.ts'

/**
 * What in a pod is against the Pod Security standard *restricted* (and *baseline*, which is part of it), in one
 * sentence; null when nothing is. The cluster has the last word; this one comes before any request, and also where a
 * namespace enforces nothing.
 */
export function restrictedProblem(pod: Fields): string | null {
  const what = broken(pod)
  return what === null ? null : `podSecurity is restricted, and ${what}`
}

function broken(pod: Fields): string | null {
  const isWindows = fieldsOf(pod['os'])['name'] === 'windows'
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC'])
    if (pod[field] === true) return `podTemplate.${field} shares what is the node's`
  for (const volume of listOf(pod['volumes']).map(fieldsOf)) {
    const kind = Object.keys(volume).find(key => key !== 'name')
    if (kind !== undefined && !VOLUMES.has(kind)) return `volume ${said(volume['name'])} is of kind ${kind}`
  }
  const security = fieldsOf(pod['securityContext'])
  for (const { name } of listOf(security['sysctls']).map(fieldsOf))
    if (typeof name !== 'string' || !SYSCTLS.has(name)) return `the sysctl ${said(name)} is not a safe one`
  const ofPod = sharedProblem(security, isWindows)
  if (ofPod !== null) return `podTemplate.securityContext ${ofPod}`
  for (const list of ['initContainers', 'containers'])
    for (const container of listOf(pod[list]).map(fieldsOf)) {
      const problem = containerProblem(container, security, isWindows)
      if (problem !== null) return `container ${said(container['name'])} ${problem}`
    }
  return null
}

function containerProblem(container: Fields, pod: Fields, isWindows: boolean): string | null {
  const own = fieldsOf(container['securityContext'])
  const shared = sharedProblem(own, isWindows)
  if (shared !== null) return shared
  if (own['privileged'] === true) return 'is privileged'
  if ((own['procMount'] ?? 'Default') !== 'Default') return 'changes procMount'
  if ((own['runAsNonRoot'] ?? pod['runAsNonRoot']) !== true) return 'may run as root'
  for (const { hostPort } of listOf(container['ports']).map(fieldsOf))
    if (typeof hostPort === 'number' && hostPort !== 0) return `takes port ${hostPort} of the node`
  if (namesHost(container)) return 'has a probe or hook that names another host'
  return isWindows ? null : linuxProblem(own, pod)
}

function linuxProblem(own: Fields, pod: Fields): string | null {
  if (own['allowPrivilegeEscalation'] !== false) return 'allows privilege escalation'
  const capabilities = fieldsOf(own['capabilities'])
  if (!listOf(capabilities['drop']).includes('ALL')) return 'does not drop the capability ALL'
  const added = listOf(capabilities['add']).find(name => name !== 'NET_BIND_SERVICE')
  if (added !== undefined) return `adds the capability ${said(added)}`
  const seccomp = fieldsOf(own['seccompProfile'] ?? pod['seccompProfile'])['type']
  if (seccomp !== 'RuntimeDefault' && seccomp !== 'Localhost') return 'has no seccomp profile'
  return null
}

/** What the security contexts of a pod and of a container have in common. */
function sharedProblem(security: Fields, isWindows: boolean): string | null {
  if (security['runAsUser'] === 0) return 'asks for user 0, which is root'
  if (security['runAsNonRoot'] === false) return 'allows root'
  if (fieldsOf(security['windowsOptions'])['hostProcess'] === true) return 'asks for a host process'
  if (isWindows) return null
  const { type } = fieldsOf(security['seccompProfile'])
  if (type === 'Unconfined') return 'goes without seccomp'
  if (fieldsOf(security['appArmorProfile'])['type'] === 'Unconfined') return 'goes without AppArmor'
  const linux = fieldsOf(security['seLinuxOptions'])
  if (!SELINUX.has(linux['type'] ?? '') || isGiven(linux['user']) || isGiven(linux['role']))
    return 'sets SELinux options that are not allowed'
  return null
}

function namesHost(container: Fields): boolean {
  const { postStart, preStop } = fieldsOf(container['lifecycle'])
  const handlers = [
    container['livenessProbe'],
    container['readinessProbe'],
    container['startupProbe'],
    postStart,
    preStop,
  ]
  return handlers
    .map(fieldsOf)
    .flatMap(handler => [handler['httpGet'], handler['tcpSocket']])
    .some(action => isGiven(fieldsOf(action)['host']))
}

const said = (value: Json | undefined): string => (typeof value === 'string' ? value : JSON.stringify(value))

const isGiven = (value: Json | undefined): boolean => value !== undefined && value !== null && value !== ''

const VOLUMES: ReadonlySet<string> = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
])

const SELINUX: ReadonlySet<Json> = new Set([
  '',
  'container_t',
  'container_init_t',
  'container_kvm_t',
  'container_engine_t',
])

/** As of Kubernetes 1.32. */
const SYSCTLS: ReadonlySet<string> = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
])
