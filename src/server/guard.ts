import type { IncomingHttpHeaders } from 'node:http'
import type { Credentials } from '../ports/authenticator.ts'
import { RequestProblem } from './problem.ts'

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Keeps out what a browser sends on behalf of another page. A name that leads here and is not ours (DNS rebinding) is
 * refused by `Host`; what another site asks for by `Origin` and `Sec-Fetch-Site`; and what changes something on the
 * strength of a cookie has to say that it comes from here.
 *
 * @throws {RequestProblem} `WRONG_HOST`, `WRONG_ORIGIN`
 */
export function checkSender(method: string, headers: IncomingHttpHeaders, hosts: ReadonlySet<string>): void {
  const host = (headers.host ?? '').toLowerCase()
  if (!hosts.has(host)) {
    const names = [...hosts].join(', ')
    throw new RequestProblem(
      'WRONG_HOST',
      'the request is for another host',
      `ask for one of: ${names}`,
    ).denying(null)
  }
  const site = headers['sec-fetch-site']
  const { origin } = headers
  const foreign =
    (origin !== undefined && !isOwn(origin, host)) || (!SAFE.has(method) && !FROM_HERE.has(site ?? 'none'))
  if (foreign) throw wrongOrigin()
  const hasCookie = headers.cookie !== undefined && headers.authorization === undefined
  if (hasCookie && !SAFE.has(method) && origin === undefined && site !== 'same-origin') throw wrongOrigin()
}

/** `none`: typed by a person, or a program that says nothing. */
const FROM_HERE: ReadonlySet<string> = new Set(['same-origin', 'none'])

function isOwn(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`
}

function wrongOrigin(): RequestProblem {
  const fix = 'use the pages of this server, or a token'
  return new RequestProblem('WRONG_ORIGIN', 'another site asks', fix).denying(null)
}

const COOKIES_MAX = 50

export function credentialsOf(headers: IncomingHttpHeaders): Credentials {
  const [, bearer = null] = /^Bearer +([\w.~+/=-]{1,4096})$/i.exec(headers.authorization ?? '') ?? []
  const cookies = new Map<string, string>()
  for (const part of (headers.cookie ?? '').split(';').slice(0, COOKIES_MAX)) {
    const at = part.indexOf('=')
    const name = part.slice(0, at).trim()
    // The first of a name counts: a later one may have been planted by a neighbour.
    if (at > 0 && !cookies.has(name)) cookies.set(name, part.slice(at + 1).trim())
  }
  // Who shows a token wants to be its owner, and not whoever a cookie stands for.
  return { bearer, cookies: headers.authorization === undefined ? cookies : new Map() }
}
