import assert from 'node:assert/strict'
import { execFile as execFileOf } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { plainOptions, s3House } from './logs-s3-house.ts'

const execFile = promisify(execFileOf)
const s3 = s3House()

/** Uses the bucket in a process of its own that has nothing but these variables to find its credentials by. */
async function check(bucket: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const at = (path: string): string => JSON.stringify(import.meta.resolve(path))
  const { credentials: _, ...options } = plainOptions(s3().server, bucket)
  const program = `
    import { createS3LogStore } from ${at('../../src/archives/s3/store.ts')}
    const store = await createS3LogStore({ ...${JSON.stringify(options)}, spool: null, clock: null, random: Math.random })
    console.log(await store.check().then(() => 'used', error => error.code + ' ' + error.message))
    store.close()`
  const home = await mkdtemp(join(tmpdir(), 'kontroler-home-'))
  try {
    const { stdout } = await execFile(process.execPath, ['--input-type=module', '-e', program], {
      env: { HOME: home, AWS_EC2_METADATA_DISABLED: 'true', ...environment },
    })
    return stdout.trim()
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

/** A server that gives the keys of the bucket to whoever shows the token. */
async function withGiver(
  answer: (request: IncomingMessage, body: string) => string | null,
  proof: (url: string, tokenFile: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-token-'))
  const tokenFile = join(folder, 'token')
  await writeFile(tokenFile, 'the-token')
  const giver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = answer(request, Buffer.concat(chunks).toString())
      response.writeHead(text === null ? 403 : 200).end(text ?? 'no')
    })
  }).listen(0, '127.0.0.1')
  await once(giver, 'listening')
  const address = giver.address()
  try {
    assert.ok(address !== null && typeof address !== 'string')
    await proof(`http://127.0.0.1:${address.port}`, tokenFile)
  } finally {
    giver.close()
    await rm(folder, { recursive: true, force: true })
  }
}

const LATER = '2099-01-01T00:00:00Z'

describe('credentials that nobody wrote into a setting', () => {
  test('none at all are told in words', async () => {
    const { bucket } = await s3().house()
    assert.match(await check(bucket, {}), /^LOG_S3_CREDENTIALS Nothing was found to sign with/)
  })

  test('keys in the environment', async () => {
    const { bucket } = await s3().house()
    const { accessKeyId, secretAccessKey } = s3().server
    const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    assert.equal(await check(bucket, keys), 'used')
  })

  test('EKS Pod Identity: an address and a token file', async () => {
    const { bucket } = await s3().house()
    const { accessKeyId, secretAccessKey } = s3().server
    const keys = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: '', Expiration: LATER }
    await withGiver(
      ({ headers }) => (headers.authorization === 'the-token' ? JSON.stringify(keys) : null),
      async (url, tokenFile) => {
        const environment = {
          AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/v1/credentials`,
          AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile,
        }
        assert.equal(await check(bucket, environment), 'used')
      },
    )
  })

  test('the role of a service account (IRSA): a role and a token file', async () => {
    const { bucket } = await s3().house()
    const { accessKeyId, secretAccessKey } = s3().server
    const answer = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${accessKeyId}</AccessKeyId>
      <SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken></SessionToken><Expiration>${LATER}</Expiration>
      </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`
    await withGiver(
      (_, body) => (/AssumeRoleWithWebIdentity/.test(body) && /the-token/.test(body) ? answer : null),
      async (url, tokenFile) => {
        const environment = {
          AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/logs',
          AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
          AWS_ENDPOINT_URL_STS: url,
          AWS_REGION: 'us-east-1',
        }
        assert.equal(await check(bucket, environment), 'used')
      },
    )
  })
})
