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
  /** Anybody who is known; nothing that belongs to a namespace is told. */
  | { readonly kind: 'known' }
  /** Lists: the handler gets the namespaces that it may tell of, and asks the store for no others. */
  | { readonly kind: 'visible'; readonly permission: 'view' }
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
  readonly visible: Visible
}

const RANKS: Readonly<Record<Role, number>> = { viewer: 1, editor: 2, admin: 3 }
const NEEDS: Readonly<Record<Permission, number>> = { view: 1, edit: 2, admin: 3 }

export function mayIn(principal: Principal, namespace: string, permission: Permission): boolean {
  const role = principal.roles.get(namespace) ?? principal.roles.get('*')
  return role !== undefined && RANKS[role] >= NEEDS[permission]
}

export function visibleTo(principal: Principal): Visible {
  return principal.roles.has('*') ? null : [...principal.roles.keys()]
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
): Promise<Found> {
  const found = await access.find(named, store)
  if (found === null || !mayIn(principal, found.namespace, 'view')) throw access.missing(named)
  if (!mayIn(principal, found.namespace, access.permission)) throw forbidden(access.permission)
  return found.object
}

function forbidden(permission: Permission): RequestProblem {
  const role = permission === 'edit' ? 'editor' : 'admin'
  return new RequestProblem(
    'FORBIDDEN',
    'you may look at this, but not change it',
    `ask for the role ${role} in its namespace`,
  )
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
