import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Identity, NO_TLS } from './identity.ts'
import { ApiProblem } from './problem.ts'
import { renewedAccess } from './renewed-access.ts'
import { REAL_TIMING, type Timing } from './timing.ts'

/** What Kubernetes gives to a pod. */
export interface ClusterPlace {
  /** `KUBERNETES_SERVICE_HOST`: a name, an IPv4 or an IPv6 address. */
  readonly host: string
  /** `KUBERNETES_SERVICE_PORT` */
  readonly port: string
  /** The folder with `token`, `ca.crt` and `namespace`. */
  readonly folder?: string
}

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * The identity of the service account of this pod. The token and the CA are read again every minute, as the kubelet
 * replaces both.
 *
 * @throws {ApiProblem} `credentials`, when this is not a pod with a service account.
 */
export async function inClusterIdentity(
  place: ClusterPlace,
  timing: Timing = REAL_TIMING,
): Promise<Identity> {
  const folder = place.folder ?? FOLDER
  const namespace = await credential(join(folder, 'namespace'))
  const renewed = renewedAccess(timing, async () => {
    const [token, ca] = await Promise.all([
      credential(join(folder, 'token')),
      credential(join(folder, 'ca.crt')),
    ])
    return {
      access: { authorization: `Bearer ${token}`, headers: {}, tls: { ...NO_TLS, ca } },
      until: null,
    }
  })
  await renewed.access()
  const host = place.host.includes(':') ? `[${place.host}]` : place.host
  return { server: `https://${host}:${place.port}`, namespace, ...renewed }
}

/** @throws {ApiProblem} `credentials` */
export async function credential(file: string): Promise<string> {
  let text: string
  try {
    text = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw noCredentials(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (text === '') throw noCredentials(`${file} is empty`)
  return text
}

export const noCredentials = (message: string): ApiProblem =>
  new ApiProblem({ kind: 'credentials', effect: 'none', message })
