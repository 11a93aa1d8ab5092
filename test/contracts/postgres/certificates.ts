import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A certificate with its key, as files. */
export interface Certificate {
  readonly certificate: string
  readonly key: string
}

/** Certificates for tests of TLS, made by the program `openssl`, below one folder. */
export interface Authority extends Certificate {
  /** Signs a certificate for these names, such as `DNS:localhost` or `IP:127.0.0.1`. */
  sign(name: string, names: string, validity?: readonly string[]): Certificate
}

/** @throws {Error} Where there is no `openssl`. */
export function authority(folder: string, name: string): Authority {
  const made = selfSigned(folder, name, [
    'basicConstraints=critical,CA:TRUE',
    'keyUsage=critical,keyCertSign',
  ])
  return {
    ...made,
    sign(leaf, names, validity = ['-days', '2']) {
      const [key, request, certificate, extensions] = ['key', 'csr', 'crt', 'ext'].map(end =>
        join(folder, `${leaf}.${end}`),
      )
      if (key === undefined || request === undefined || certificate === undefined || extensions === undefined)
        throw new Error('no files')
      writeFileSync(extensions, `subjectAltName=${names}\n`)
      openssl('req', '-new', ...KEY, '-keyout', key, '-out', request, '-subj', `/CN=${leaf}`)
      openssl(
        'x509',
        '-req',
        '-in',
        request,
        '-CA',
        made.certificate,
        '-CAkey',
        made.key,
        '-CAcreateserial',
        '-out',
        certificate,
        '-extfile',
        extensions,
        ...validity,
      )
      return { certificate, key }
    },
  }
}

/** A certificate that nobody but itself vouches for. */
export function selfSigned(folder: string, name: string, extensions: readonly string[]): Certificate {
  const [key, certificate] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)]
  const added = extensions.flatMap(extension => ['-addext', extension])
  openssl(
    'req',
    '-x509',
    ...KEY,
    '-keyout',
    key,
    '-out',
    certificate,
    '-subj',
    `/CN=${name}`,
    '-days',
    '2',
    ...added,
  )
  return { certificate, key }
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

function openssl(...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr}${String(error ?? '')}`)
}
