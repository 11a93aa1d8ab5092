import { generateKeyPairSync } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeChanged } from './write.ts'

/** Who may log in, and their tokens. `admin` may do everything, the others nothing before a role lets them. */
export const USERS = { admin: 'admin-token', alice: 'alice-token', bob: 'bob-token' } as const

/** Writes keys, tokens and the kubeconfig; what is there already stays valid. */
export function writeCredentials(state: string, server: string): void {
  if (!existsSync(join(state, 'sa.key'))) {
    const pair = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    })
    writeFileSync(join(state, 'sa.key'), pair.privateKey, { mode: 0o600 })
    writeFileSync(join(state, 'sa.pub'), pair.publicKey)
  }
  const users = Object.entries(USERS)
  const groups = (name: string): string => (name === 'admin' ? ',system:masters' : '')
  const tokens = users.map(([name, token]) => `${token},${name},${name}${groups(name)}\n`)
  writeChanged(join(state, 'tokens.csv'), tokens.join(''), 0o600)
  const cluster = { server, 'certificate-authority': join(state, 'certs', 'apiserver.crt') }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: users.map(([name, token]) => ({ name, user: { token } })),
    contexts: users.map(([name]) => ({ name, context: { cluster: 'test', user: name } })),
    'current-context': 'admin',
  }
  // JSON is YAML.
  writeChanged(join(state, 'kubeconfig'), JSON.stringify(config, null, 2), 0o600)
}
