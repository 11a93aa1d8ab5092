import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { type OidcProvider, oidcProvider } from '../../src/server/accounts/oidc.ts'
import { RequestProblem } from '../../src/server/problem.ts'

/** A provider that says what a test wants: which ID tokens are believed, and which are not. */

const own = generateKeyPairSync('rsa', { modulusLength: 2048 })
const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 })
const CLIENT = 'kontroler'
let issuer = ''
let tokenAnswer: (nonce: string) => object = () => ({})
let lastForm = new URLSearchParams()
let nonce = ''

const server = createServer((request, response) => {
  const json = (body: object, status = 200): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  if (request.url === '/.well-known/openid-configuration')
    return json({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
      id_token_signing_alg_values_supported: ['RS256'],
      code_challenge_methods_supported: ['S256'],
    })
  if (request.url === '/jwks')
    return json({
      keys: [{ ...own.publicKey.export({ format: 'jwk' }), kid: 'a', use: 'sig', alg: 'RS256' }],
    })
  let form = ''
  request.on('data', (bytes: Buffer) => {
    form += bytes.toString()
  })
  request.on('end', () => {
    lastForm = new URLSearchParams(form)
    json(tokenAnswer(nonce))
  })
})

before(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  issuer = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
})
after(() => server.close())

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

interface Forgery {
  readonly header?: object
  readonly claims?: object
  /** Of the text that is signed. */
  readonly signature?: (text: string) => string
}

function idToken({ header, claims, signature }: Forgery): string {
  const now = Math.floor(Date.now() / 1_000)
  const usual = { iss: issuer, aud: CLIENT, sub: 's', iat: now, exp: now + 60, nonce }
  const text = `${encoded({ alg: 'RS256', kid: 'a', ...header })}.${encoded({ ...usual, ...claims })}`
  const rsa = (signed: string): string =>
    sign('sha256', Buffer.from(signed), own.privateKey).toString('base64url')
  return `${text}.${(signature ?? rsa)(text)}`
}

function provider(): OidcProvider {
  return oidcProvider(
    {
      name: 'x',
      title: 'x',
      issuer,
      clientId: CLIENT,
      clientSecret: null,
      scopes: [],
      nameClaim: 'sub',
      groupsClaim: null,
      rolesOfGroups: new Map(),
    },
    'https://kontroler.example',
  )
}

async function come(forgery: Forgery, more: object = {}): Promise<string> {
  const made = provider()
  const { location, flow } = await made.begin('/')
  const asked = new URL(location).searchParams
  nonce = asked.get('nonce') ?? ''
  tokenAnswer = () => ({ access_token: 'a', token_type: 'bearer', id_token: idToken(forgery), ...more })
  try {
    const { subject } = await made.finish(`?code=c&state=${asked.get('state')}`, flow)
    return `let in: ${subject}`
  } catch (error) {
    assert.ok(error instanceof RequestProblem, String(error))
    return error.code
  }
}

test('a token that is right lets its subject in, and the code is redeemed with the verifier of this browser', async () => {
  assert.equal(await come({}), 'let in: s')
  assert.match(lastForm.get('code_verifier') ?? '', /^[\w-]{43}$/)
  assert.equal(lastForm.get('redirect_uri'), 'https://kontroler.example/api/v1/oidc/x/callback')
})

const now = Math.floor(Date.now() / 1_000)
const publicPem = (): string => own.publicKey.export({ format: 'pem', type: 'spki' }).toString()
const forgeries: Readonly<Record<string, Forgery>> = {
  'is not signed': { header: { alg: 'none' }, signature: () => '' },
  'is signed by somebody else': {
    signature: text => sign('sha256', Buffer.from(text), foreign.privateKey).toString('base64url'),
  },
  'is signed with the public key, as if it were a password': {
    header: { alg: 'HS256' },
    signature: text => createHmac('sha256', publicPem()).update(text).digest('base64url'),
  },
  'brings its own key along': {
    header: { jwk: foreign.publicKey.export({ format: 'jwk' }), kid: undefined },
    signature: text => sign('sha256', Buffer.from(text), foreign.privateKey).toString('base64url'),
  },
  'is for another client': { claims: { aud: 'other' } },
  'is for several, and this is not the one that asked': { claims: { aud: [CLIENT, 'other'], azp: 'other' } },
  'is of another issuer': { claims: { iss: 'https://evil.example' } },
  'is for another question': { claims: { nonce: 'A'.repeat(43) } },
  'is for no question': { claims: { nonce: undefined } },
  'is over': { claims: { exp: now - 600 } },
  'is of the future': { claims: { nbf: now + 600 } },
  'has no subject': { claims: { sub: undefined } },
  'has an end that is no number': { claims: { exp: 'never' } },
}
for (const [what, forgery] of Object.entries(forgeries))
  test(`a token that ${what} lets nobody in`, async () => {
    assert.equal(await come(forgery), 'SIGN_IN_FAILED')
  })

test('an answer without an ID token lets nobody in', async () => {
  assert.equal(await come({}, { id_token: undefined }), 'SIGN_IN_FAILED')
})
