import { spawn } from 'node:child_process'
import { isAbsolute, join } from 'node:path'
import { noCredentials } from './in-cluster.ts'
import type { ClusterEntry, PluginEntry } from './kubeconfig-file.ts'
import { CLIENT_LIMITS } from './limits.ts'

/** Where credential plugins run. */
export interface PluginSurroundings {
  /** The environment they get, besides what the kubeconfig adds. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether there is a person at a terminal whom a plugin may ask. */
  readonly interactive: boolean
}

/** What a plugin gave to log in with. */
export interface PluginCredential {
  readonly token: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
  /** Until when it is good, in milliseconds since 1970; null: until the server refuses it. */
  readonly until: number | null
}

/** Versions of the protocol that are still spoken. */
const VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']
/** A credential is renewed so long before its end, at most. */
const EARLY_MS = 10_000

/**
 * Logs in by a credential plugin (`ExecCredential`): the command is run when there is no credential, when its time is
 * over, and when the server refused it.
 *
 * @returns A function of whether the last one was refused, and of the time (`Timing.wall`).
 */
export function createPluginLogin(
  plugin: PluginEntry,
  cluster: ClusterEntry,
  surroundings: PluginSurroundings,
): (refused: boolean, now: number) => Promise<PluginCredential> {
  let last: PluginCredential | null = null
  return async (refused, now) => {
    if (last !== null && !refused && (last.until === null || now < last.until)) return last
    if (!VERSIONS.includes(plugin.apiVersion))
      throw noCredentials(
        `credential plugin ${plugin.command} speaks ${plugin.apiVersion || 'no version'}, not v1`,
      )
    if (plugin.interactiveMode === 'Always' && !surroundings.interactive)
      throw noCredentials(`credential plugin ${plugin.command} needs a terminal`)
    const interactive = surroundings.interactive && plugin.interactiveMode !== 'Never'
    const printed = await run(plugin, { ...surroundings, interactive }, infoOf(plugin, cluster, interactive))
    last = credentialOf(printed, plugin, now)
    return last
  }
}

const infoOf = (plugin: PluginEntry, cluster: ClusterEntry, interactive: boolean): string =>
  JSON.stringify({
    kind: 'ExecCredential',
    apiVersion: plugin.apiVersion,
    spec: {
      interactive,
      cluster: plugin.provideClusterInfo
        ? {
            server: cluster.server,
            'tls-server-name': cluster.serverName || undefined,
            'insecure-skip-tls-verify': cluster.insecure || undefined,
            'certificate-authority-data': cluster.caBase64 || undefined,
            'proxy-url': cluster.proxy || undefined,
            config: cluster.pluginConfig,
          }
        : undefined,
    },
  })

/** What it prints. A plugin that may ask has the terminal; any other has no input, and a limited time. */
function run(plugin: PluginEntry, surroundings: PluginSurroundings, info: string): Promise<string> {
  const { interactive, env } = surroundings
  const relative = /[/\\]/.test(plugin.command) && !isAbsolute(plugin.command)
  const command = relative ? join(plugin.folder, plugin.command) : plugin.command
  return new Promise((resolve, reject) => {
    const child = spawn(command, plugin.args, {
      env: { ...env, ...plugin.env, KUBERNETES_EXEC_INFO: info },
      stdio: interactive ? ['inherit', 'pipe', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    })
    const end = (): void => {
      child.kill('SIGKILL')
      // What it has started may live on, and hold these open.
      child.stdout?.destroy()
      child.stderr?.destroy()
    }
    // Not the option of `spawn`: its timer outlives a command that cannot be run.
    const late = interactive ? undefined : setTimeout(end, CLIENT_LIMITS.pluginMs)
    const parts: Buffer[] = []
    let bytes = 0
    let complaint = ''
    child.stdout?.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > CLIENT_LIMITS.pluginBytesMax) end()
      else parts.push(part)
    })
    child.stderr?.on('data', (part: Buffer) => {
      complaint = `${complaint}${part.toString('utf8')}`.slice(-500)
    })
    child.on('error', error => {
      clearTimeout(late)
      const hint = plugin.installHint === '' ? '' : `. ${plugin.installHint.trim()}`
      reject(noCredentials(`credential plugin ${plugin.command} cannot be run: ${error.message}${hint}`))
    })
    child.on('close', (code, signal) => {
      clearTimeout(late)
      if (code === 0 && bytes <= CLIENT_LIMITS.pluginBytesMax)
        return resolve(Buffer.concat(parts).toString('utf8'))
      const how = code === null ? `was killed (${signal})` : `ended with code ${code}`
      reject(noCredentials(`credential plugin ${plugin.command} ${how}: ${complaint.trim()}`))
    })
  })
}

function credentialOf(printed: string, plugin: PluginEntry, now: number): PluginCredential {
  const wrong = (what: string): Error => noCredentials(`credential plugin ${plugin.command} ${what}`)
  let read: { apiVersion?: unknown; kind?: unknown; status?: Record<string, unknown> | null }
  try {
    read = JSON.parse(printed) as typeof read
  } catch {
    throw wrong('printed something that is not JSON')
  }
  if (read.kind !== 'ExecCredential' || read.apiVersion !== plugin.apiVersion)
    throw wrong(`did not print an ExecCredential of ${plugin.apiVersion}`)
  const text = (name: string): string | undefined => {
    const value = read.status?.[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const token = text('token')
  const certificate = text('clientCertificateData')
  const key = text('clientKeyData')
  if (token === undefined && (certificate === undefined || key === undefined))
    throw wrong('gave neither a token nor a certificate with its key')
  const end = Date.parse(text('expirationTimestamp') ?? '')
  return {
    token,
    certificate,
    key,
    until: Number.isNaN(end) ? null : end - Math.min(EARLY_MS, (end - now) / 10),
  }
}
