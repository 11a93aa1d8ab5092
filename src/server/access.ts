import type { Principal, Role } from '../ports/authenticator.ts'
import type { Store, StoredDag, StoredRun } from '../ports/store.ts'
import { RequestProblem, notThere } from './problem.ts'

/** What somebody must be allowed to do. */
export type Permission = 'view' | 'edit' | 'admin'

/** Namespaces that somebody may see; null: all of them. */
export type Visible = readonly string[] | null

/**
 * Who may use a route, and on what. An object is found, and the right to it checked, before the handler runs, so that
 * no handler can forget it. `find` gives the object and its namespace; null when it is not there, which looks like an
 * object that is hidden from who asks.
 */
export type Access<Params, Body, Found> =
  | { readonly kind: 'public' }
  /** Programs that prove themselves with each request, by what its bytes are signed with: the handler checks it. */
  | { readonly kind: 'signed' }
  /** Anybody, to become somebody: the request itself proves who it is, tries are counted, and each is written down. */
  | { readonly kind: 'entrance' }
  /** Anybody who is known; nothing that belongs to a namespace is told. */
  | { readonly kind: 'known' }
  /** Who has an account, on what is theirs; `session`: not with a token, which could make itself last for ever. */
  | { readonly kind: 'self'; readonly proof: 'session' | 'any' }
  /** What belongs to no namespace: the role is needed for all of them. */
  | { readonly kind: 'everything'; readonly permission: Permission }
  /** Lists: the handler gets the namespaces that it may tell of, and asks the store for no others. */
  | { readonly kind: 'visible'; readonly permission: 'view' | 'admin' }
  | ObjectAccess<Params, Body, Found>

export interface ObjectAccess<Params, Body, Found> {
  readonly kind: 'object'
  readonly permission: Permission
  /** Whether the path alone names it: then it is found, and the right checked, before a byte of the body is read. */
  readonly from: 'path' | 'body'
  readonly find: (
    named: { readonly params: Params; readonly body: Body },
    store: Store,
  ) => Promise<{ readonly namespace: string; readonly object: Found } | null>
  /** What is said of one that is not there. */
  readonly missing: (named: { readonly params: Params; readonly body: Body }) => RequestProblem
}

/** What every handler knows of who asks and for what. */
export interface Authorized<Found> {
  /** Whoever it is; for a public route nobody. */
  readonly principal: Principal
  readonly object: Found
  /** Of the object; null where there is none. */
  readonly namespace: string | null
  readonly visible: Visible
}

const RANKS: Readonly<Record<Role, number>> = { viewer: 1, editor: 2, admin: 3 }
const NEEDS: Readonly<Record<Permission, number>> = { view: 1, edit: 2, admin: 3 }

export function mayIn(principal: Principal, namespace: string, permission: Permission): boolean {
  const role = principal.roles.get(namespace) ?? principal.roles.get('*')
  return role !== undefined && RANKS[role] >= NEEDS[permission]
}

/** Who has a role for all namespaces is shown what belongs to none, too. */
export function visibleTo(principal: Principal, permission: 'view' | 'admin' = 'view'): Visible {
  if (mayIn(principal, '*', permission)) return null
  return [...principal.roles.keys()].filter(name => name !== '*' && mayIn(principal, name, permission))
}

/** What is to be added to a question so that only what may be seen answers it. */
export function within(visible: Visible): { readonly namespaces?: readonly string[] } {
  return visible === null ? {} : { namespaces: visible }
}

/** @throws {RequestProblem} Not there, hidden, or not to be changed by who asks. */
export async function authorize<Params, Body, Found>(
  access: ObjectAccess<Params, Body, Found>,
  principal: Principal,
  named: { readonly params: Params; readonly body: Body },
  store: Store,
): Promise<{ readonly object: Found; readonly namespace: string }> {
  const found = await access.find(named, store)
  if (found === null) throw access.missing(named)
  const { namespace } = found
  if (!mayIn(principal, namespace, 'view')) throw access.missing(named).denying(namespace)
  if (!mayIn(principal, namespace, access.permission)) {
    const fix = `ask for the role ${ROLE_FOR[access.permission]} in its namespace`
    const message = 'you may look at this, but not change it'
    throw new RequestProblem('FORBIDDEN', message, fix).denying(namespace)
  }
  return found
}

/** The same for what is no object. @throws {RequestProblem} `FORBIDDEN` */
export function authorizeRole<Params, Body, Found>(
  access: Exclude<Access<Params, Body, Found>, { readonly kind: 'object' }>,
  principal: Principal,
): Visible {
  switch (access.kind) {
    case 'public':
    case 'signed':
    case 'entrance':
    case 'known':
      return visibleTo(principal)
    case 'self':
      checkProof(access.proof, principal)
      return visibleTo(principal)
    case 'everything':
      if (mayIn(principal, '*', access.permission)) return visibleTo(principal)
      throw forbiddenFor(access.permission, 'for all namespaces')
    case 'visible': {
      const visible = visibleTo(principal, access.permission)
      if (access.permission === 'view' || visible === null || visible.length > 0) return visible
      throw forbiddenFor(access.permission, 'in a namespace')
    }
  }
}

const ROLE_FOR: Readonly<Record<Permission, Role>> = { view: 'viewer', edit: 'editor', admin: 'admin' }

function forbiddenFor(permission: Permission, where: string): RequestProblem {
  const message = `this is for those who have the role ${ROLE_FOR[permission]} ${where}`
  return new RequestProblem('FORBIDDEN', message, 'ask one of them').denying(null)
}

function checkProof(wanted: 'session' | 'any', { proof }: Principal): void {
  if (proof === undefined) {
    const message = 'this is about accounts, and you came without one'
    throw new RequestProblem('FORBIDDEN', message, 'sign in as a user').denying(null)
  }
  if (wanted === 'any' || proof.kind === 'session') return
  const message = 'a token may not do this'
  throw new RequestProblem('FORBIDDEN', message, 'sign in, and do it then').denying(null)
}

interface RunParams {
  readonly run: string
}

/** The run that the path names by its id. */
export function theRun(permission: Permission): ObjectAccess<RunParams, unknown, StoredRun> {
  return {
    kind: 'object',
    permission,
    from: 'path',
    async find({ params }, store) {
      const object = await store.run(params.run)
      return object === null ? null : { namespace: object.namespace, object }
    },
    missing: ({ params }) => notThere('run', params.run),
  }
}

interface DagParams {
  readonly namespace: string
  readonly name: string
}

/** The DAG in force that the path names. */
export function theDag(permission: Permission): ObjectAccess<DagParams, unknown, StoredDag> {
  return {
    kind: 'object',
    permission,
    from: 'path',
    async find({ params }, store) {
      const object = await dagInForce(store, params.namespace, params.name)
      return object === null ? null : { namespace: params.namespace, object }
    },
    missing: ({ params }) => notThere('DAG', `${params.namespace}/${params.name}`),
  }
}

/** A DAG that the path names, also one that was removed: its runs and versions stay. */
export function theDagEver(permission: Permission): ObjectAccess<DagParams, unknown, StoredDag> {
  return {
    ...theDag(permission),
    async find({ params }, store) {
      const object = await store.dag(params.namespace, params.name)
      return object === null ? null : { namespace: params.namespace, object }
    },
  }
}

/** The place of a DAG that the path names, whether or not there is one now. */
export function dagPlace(permission: Permission): ObjectAccess<DagParams, unknown, StoredDag | null> {
  return {
    ...theDag(permission),
    async find({ params }, store) {
      const object = await dagInForce(store, params.namespace, params.name)
      return { namespace: params.namespace, object }
    },
  }
}

/** The DAG that the body asks a run of. */
export function dagInBody(
  permission: Permission,
): ObjectAccess<unknown, { readonly namespace: string; readonly dag: string }, StoredDag> {
  return {
    kind: 'object',
    permission,
    from: 'body',
    async find({ body }, store) {
      const object = await dagInForce(store, body.namespace, body.dag)
      return object === null ? null : { namespace: body.namespace, object }
    },
    missing: ({ body }) => notThere('DAG', `${body.namespace}/${body.dag}`),
  }
}

async function dagInForce(store: Store, namespace: string, dag: string): Promise<StoredDag | null> {
  return (await store.dagPage({ namespace, dag, limit: 1 })).items[0] ?? null
}
