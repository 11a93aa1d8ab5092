import type { FastifyRequest } from 'fastify'
import type { Credentials, Principal } from '../ports/authenticator.ts'
import { type Authorized, authorize, authorizeRole, mayIn, visibleTo } from './access.ts'
import { credentialsOf } from './guard.ts'
import type { ServerParts } from './parts.ts'
import { RequestProblem } from './problem.ts'
import type { AnyRoute } from './route.ts'

/** For routes that ask nobody who they are. */
export const NOBODY: Principal = { id: 'nobody', name: 'nobody', roles: new Map() }

/** What is known of a request before its handler runs. */
export interface Known {
  readonly principal: Principal
  readonly params: unknown
  /** Absent until the body is there, where that names the object. */
  readonly authorized?: Authorized<unknown>
}

const OPEN: ReadonlySet<string> = new Set(['public', 'signed', 'entrance'])
const isOpen = ({ access }: AnyRoute): boolean => OPEN.has(access.kind)

/** @throws {RequestProblem} `UNAUTHENTICATED`, `NO_ACCOUNTS` */
export async function principalOf(
  route: AnyRoute,
  request: FastifyRequest,
  parts: ServerParts,
): Promise<Principal> {
  const principal = isOpen(route)
    ? NOBODY
    : await parts.authenticator.identify(credentialsOf(request.headers))
  if (principal === null) {
    const said = request.headers.authorization !== undefined || request.headers.cookie !== undefined
    const problem = new RequestProblem(
      'UNAUTHENTICATED',
      'say who you are',
      'send Authorization: Bearer TOKEN',
      { headers: { 'www-authenticate': 'Bearer' } },
    )
    // Who has not said anything has not been denied anything yet, unless they wanted a change.
    throw said || route.method !== 'GET' ? problem.denying(null) : problem
  }
  if (route.needs === 'accounts' && parts.accounts === undefined) {
    const message = 'this server has no accounts'
    throw new RequestProblem('NO_ACCOUNTS', message, 'use the token of its state directory')
  }
  return principal
}

/** For what, and whether they may: from the request line and the headers alone. */
export async function knownOf(
  route: AnyRoute,
  principal: Principal,
  request: FastifyRequest,
  parts: ServerParts,
): Promise<Known> {
  const params = paramsOf(route, request)
  if (route.access.kind === 'object' && route.access.from === 'body') return { principal, params }
  const named = { params, body: undefined }
  return { principal, params, authorized: await authorizedBy(route, principal, named, parts) }
}

export async function authorizedBy(
  { access }: AnyRoute,
  principal: Principal,
  named: { readonly params: unknown; readonly body: unknown },
  { store }: ServerParts,
): Promise<Authorized<unknown>> {
  if (access.kind !== 'object')
    return { principal, object: undefined, namespace: null, visible: authorizeRole(access, principal) }
  const found = await authorize(access, principal, named, store)
  return { principal, ...found, visible: visibleTo(principal) }
}

/** Asks again who it is: what was allowed at the beginning of a long answer may not be any more. */
export async function stillMay(
  { access }: AnyRoute,
  { principal, namespace, visible }: Authorized<unknown>,
  credentials: Credentials,
  { authenticator }: ServerParts,
): Promise<boolean> {
  if (access.kind === 'public') return true
  const now = await authenticator.identify(credentials)
  if (now === null || now.id !== principal.id) return false
  if (access.kind === 'object' && namespace !== null) return mayIn(now, namespace, access.permission)
  const permission = access.kind === 'visible' ? access.permission : 'view'
  return String(visibleTo(now, permission)) === String(visible)
}

/** A name of a form that nothing has is of something that is not there. */
function paramsOf(route: AnyRoute, request: FastifyRequest): unknown {
  if (route.params === undefined) return {}
  const result = route.params.safeParse(request.params)
  if (result.success) return result.data
  throw new RequestProblem('NOT_FOUND', 'there is nothing of that address', 'check the names in it')
}
