import { resolve } from 'node:path'
import { VERSION } from '../../host/version.ts'
import { CommandError, EXIT } from '../exit.ts'
import type { Environment } from '../settings.ts'
import { printLines } from '../show/print.ts'
import { askSecretly } from './ask-secretly.ts'
import { CONTEXT_NAME, contextNamed, contextsFile, readContexts, writeContexts } from './contexts.ts'
import { openRemoteServer } from './server.ts'
import { type ServerTarget, checkedToken, serverUrl, tokenIn } from './target.ts'
import { noKontroler } from './trouble.ts'

export interface LoginOptions {
  readonly name?: string
  readonly tokenFile?: string
}

/** How somebody shows a server who they are. Further ways (a password, a device code) are to stand beside this one. */
type Way = (options: LoginOptions, url: string) => Promise<string>

const byToken: Way = async ({ tokenFile }, url) =>
  tokenFile === undefined
    ? checkedToken(await askSecretly(`Token for ${url}: `), 'the answer')
    : tokenIn(tokenFile)

/** Name that stands for this machine wherever a context is named. */
export const LOCAL = 'local'

/** `kontroler login URL`: keeps a token for a server, and makes it the one that commands are about. */
export async function login(
  environment: Environment,
  address: string,
  options: LoginOptions,
): Promise<number> {
  const url = serverUrl(address)
  const name = options.name ?? nameFor(url)
  if (!CONTEXT_NAME.test(name) || name === LOCAL)
    throw new CommandError(
      'BAD_OPTION',
      `${name} cannot be the name of a context`,
      'letters, digits, dots and dashes',
    )
  // A file that cannot be used is told before a token is asked for.
  const before = readContexts()
  const caFile = environment.caFile === null ? null : resolve(environment.caFile)
  const token = await byToken(options, url)
  const version = await checked({ url, token, caFile, note: null })
  const contexts = new Map(before.contexts).set(name, { server: url, token, caFile })
  writeContexts({ current: name, contexts })
  printLines([
    `logged in to ${url} (version ${version}); it is context ${name}, kept in ${contextsFile()}`,
    `commands are about this server now; about this machine again with: kontroler context use ${LOCAL}`,
  ])
  if (version !== VERSION)
    process.stderr.write(
      `warning: the server is version ${version}, this program ${VERSION}; they should be the same\n`,
    )
  return EXIT.succeeded
}

/**
 * Asks something that only who is known is told.
 *
 * @returns The version of the server.
 */
async function checked(target: ServerTarget): Promise<string> {
  await using server = openRemoteServer(target)
  const answer: { readonly version?: unknown } = await server.ask(() => server.client.call('getVersion'))
  if (typeof answer.version === 'string') return answer.version
  throw noKontroler(target.url, 'it tells no version')
}

/** `kontroler logout [CONTEXT]`: forgets its token. */
export async function logout(_environment: Environment, given: string | undefined): Promise<number> {
  const known = readContexts()
  const name = given ?? known.current
  if (name === null) throw noneCurrent()
  const context = contextNamed(known, name)
  const contexts = new Map(known.contexts).set(name, { ...context, token: null })
  writeContexts({ current: known.current === name ? null : known.current, contexts })
  printLines([
    `the token of context ${name} is forgotten here; whoever has a copy can still use it: take it back at the server`,
  ])
  return EXIT.succeeded
}

export function noneCurrent(): CommandError {
  return new CommandError(
    'UNKNOWN_CONTEXT',
    'no context is current: commands are about this machine',
    'kontroler login URL, or kontroler context use NAME',
    EXIT.failed,
  )
}

/** `kontroler.example.com`, `127.0.0.1-8080`. */
function nameFor(url: string): string {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/[^A-Za-z0-9.-]+/g, '').slice(0, 50)
  const name = `${host === '' ? 'server' : host}${port === '' ? '' : `-${port}`}`
  return CONTEXT_NAME.test(name) ? name : 'server'
}
