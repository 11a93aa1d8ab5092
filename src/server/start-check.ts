import type { AnyRoute } from './route.ts'

const KINDS: ReadonlySet<unknown> = new Set([
  'public',
  'signed',
  'entrance',
  'known',
  'self',
  'everything',
  'visible',
  'object',
])
/** Those that say whose it is that is changed. */
const OWNED: ReadonlySet<unknown> = new Set(['signed', 'entrance', 'self', 'everything', 'object'])
const PERMISSIONS: ReadonlySet<unknown> = new Set(['view', 'edit', 'admin'])

/**
 * Refuses to start with a route that does not say who may use it: types can be got around, and a route that is open
 * by mistake looks like any other.
 *
 * @throws {Error} Names every route that is wrong.
 */
export function checkRoutes(routes: readonly AnyRoute[]): void {
  const wrong: string[] = []
  const seen = new Set<string>()
  for (const route of routes) {
    const name = `${route.method} ${route.path}`
    const access: unknown = route.access
    const say = (what: string): unknown => wrong.push(`${name}: ${what}`)
    if (!isDeclared(access)) say('does not say who may use it')
    else if (access.kind === 'everything' || access.kind === 'visible') {
      if (!PERMISSIONS.has(access.permission)) say('names no permission')
    } else if (access.kind === 'object') {
      if (!PERMISSIONS.has(access.permission)) say('names no permission')
      if (typeof access.find !== 'function') say('does not say how its object is found')
      if (access.from === 'body' && route.body?.kind !== 'json')
        say('looks for its object in a body it has not')
    }
    const changes = route.method !== 'GET' && route.changesNothing !== true
    if (changes && (!isDeclared(access) || !OWNED.has(access.kind)))
      say('changes something without saying whose it is')
    if (route.body?.kind === 'bytes' && (!isDeclared(access) || access.kind !== 'signed'))
      say('takes bytes that nobody has to sign')
    if (isDeclared(access) && access.kind === 'signed' && route.body?.kind !== 'bytes')
      say('asks for a signature, but whoever sends it signs nothing')
    for (const key of [name, route.id]) {
      if (seen.has(key)) say('is there twice')
      seen.add(key)
    }
    if (/\{[^}]*\}/.test(route.path) !== (route.params !== undefined)) say('has other params than its path')
  }
  if (wrong.length > 0) throw new Error(`routes are wrong:\n${wrong.join('\n')}`)
}

function isDeclared(access: unknown): access is {
  readonly kind: string
  readonly permission?: unknown
  readonly find?: unknown
  readonly from?: unknown
} {
  return typeof access === 'object' && access !== null && 'kind' in access && KINDS.has(access.kind)
}
