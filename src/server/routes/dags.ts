import * as z from 'zod'
import type { StoredDag } from '../../ports/store.ts'
import { dagDocument } from '../../spec/dag-document.ts'
import { yamlText } from '../../spec/yaml-text.ts'
import { dagPlace, mayIn, theDag, within } from '../access.ts'
import { conditionOf, etagOf, isCurrent } from '../conditions.ts'
import { dagAnswerOf, graphOf } from '../dag-answers.ts'
import { checkedDocument, onlyDag } from '../documents.ts'
import { given } from '../given.ts'
import { RequestProblem, refusedFor } from '../problem.ts'
import { type AnyRoute, ok, route } from '../route.ts'
import { appliedDag, dagAnswer, dagContent, dagPage, dagVersions, graphAnswer } from '../schemas/dag.ts'
import { problemList } from '../schemas/problem.ts'
import { after, dagParams, limit, namespace, versionParams } from '../schemas/values.ts'
import { moment } from '../../core/run/run-data.ts'

const ETAG = { etag: 'Names what is in force; send it as If-Match with a change.' } as const
const DAG = '/api/v1/dags/{namespace}/{name}'

const listDags = route({
  id: 'listDags',
  method: 'GET',
  path: '/api/v1/dags',
  summary: 'DAGs in force, by namespace and name',
  access: { kind: 'visible', permission: 'view' },
  query: z.strictObject({
    namespace,
    name: z.string().min(1).max(253).optional().describe('Only DAGs whose name starts with it.'),
    limit,
    after,
  }),
  responses: { 200: { description: 'One page.', schema: dagPage } },
  async handle({ query: { name, ...rest }, visible, principal, parts }) {
    const query = { ...given(rest), ...(name === undefined ? {} : { namePrefix: name }), ...within(visible) }
    const { items, next } = await parts.store.dagPage(query)
    return ok({ items: items.map(stored => dagAnswerOf(stored, principal, parts.control)), next })
  },
})

const getDag = route({
  id: 'getDag',
  method: 'GET',
  path: DAG,
  summary: 'One DAG, as it is in force',
  access: theDag('view'),
  params: dagParams,
  headers: { 'if-none-match': 'An ETag: answered with 304 when it is still in force.' },
  responses: {
    200: { description: 'The DAG.', schema: dagAnswer, headers: ETAG },
    304: { description: 'It is as you know it.' },
  },
  async handle({ object, principal, header, parts }) {
    const etag = etagOf(object)
    if (isCurrent(header('if-none-match'), etag)) return { status: 304, headers: { etag } }
    return ok(dagAnswerOf(object, principal, parts.control), { etag })
  },
})

const putDag = route({
  id: 'putDag',
  method: 'PUT',
  path: DAG,
  summary: 'Creates a DAG, or puts another version in force',
  access: dagPlace('edit'),
  params: dagParams,
  body: { kind: 'document' },
  headers: {
    'if-match': 'ETag of what the change was made from; `*` for whatever is there. Needed to change a DAG.',
    'if-none-match': '`*`: only where there is none yet.',
  },
  responses: {
    200: { description: 'It is in force.', schema: appliedDag, headers: ETAG },
    201: { description: 'There was none of this name; it is in force.', schema: appliedDag, headers: ETAG },
  },
  async handle({ object, params, body, principal, header, parts }) {
    const expected = conditionOf(object, header('if-match'), header('if-none-match'))
    const loaded = await checkedDocument(String(body), params.namespace, parts.store)
    const { dag, document } = onlyDag(loaded, params)
    const order = { dag, document, by: principal, ...(expected === undefined ? {} : { expected }) }
    const applied = await parts.control.applyDag(order)
    if (!applied.ok) throw refusedFor(applied.problems)
    const stored = await inForce(parts.store, params)
    const warnings = loaded.problems.map(({ code, message, fix }) => ({ code, message, fix }))
    return {
      status: applied.value.created ? 201 : 200,
      headers: { etag: etagOf(stored) },
      body: { ...dagAnswerOf(stored, principal, parts.control), warnings, notes: [...applied.value.notes] },
    }
  },
})

const deleteDag = route({
  id: 'deleteDag',
  method: 'DELETE',
  path: DAG,
  summary: 'Takes a DAG out of force; its runs and versions stay',
  access: theDag('edit'),
  params: dagParams,
  headers: { 'if-match': 'ETag of what is to go.' },
  responses: { 204: { description: 'It is gone.' } },
  async handle({ object, params, principal, header, parts }) {
    const expected = header('if-match') === null ? undefined : conditionOf(object, header('if-match'), null)
    const order = { ...params, by: principal }
    const done = await parts.control.deleteDag(
      expected === undefined || expected === null ? order : { ...order, expected },
    )
    if (!done.ok) throw refusedFor(done.problems)
    return { status: 204 }
  },
})

const suspension = (id: 'suspendDag' | 'unsuspendDag', suspended: boolean): AnyRoute =>
  route({
    id,
    method: 'POST',
    path: `${DAG}/${suspended ? 'suspend' : 'unsuspend'}`,
    summary: suspended ? 'Lets its schedules start nothing' : 'Lets its schedules start runs again',
    access: theDag('edit'),
    params: dagParams,
    responses: { 200: { description: 'The DAG.', schema: dagAnswer, headers: ETAG } },
    async handle({ params, principal, parts }) {
      const done = await parts.control.suspendDag({ ...params, suspended, by: principal })
      if (!done.ok) throw refusedFor(done.problems)
      const stored = await inForce(parts.store, params)
      return ok(dagAnswerOf(stored, principal, parts.control), { etag: etagOf(stored) })
    },
  })

const listVersions = route({
  id: 'listDagVersions',
  method: 'GET',
  path: `${DAG}/versions`,
  summary: 'Versions of a DAG, newest first',
  access: theDag('view'),
  params: dagParams,
  responses: { 200: { description: 'All of them.', schema: dagVersions } },
  async handle({ object, params, parts }) {
    const versions = await parts.store.dagVersions(params.namespace, params.name)
    return ok({ items: versions.map(version => versionOf(version, object)) })
  },
})

const getVersion = route({
  id: 'getDagVersion',
  method: 'GET',
  path: `${DAG}/versions/{version}`,
  summary: 'One version of a DAG, as the engine understands it',
  access: theDag('view'),
  params: versionParams,
  responses: { 200: { description: 'The version.', schema: dagContent } },
  async handle({ object, params, parts }) {
    const stored = await theVersion(params, parts.store)
    return ok({ ...versionOf(stored, object), content: stored.dag })
  },
})

const getSource = route({
  id: 'getDagSource',
  method: 'GET',
  path: `${DAG}/versions/{version}/source`,
  summary: 'One version of a DAG as a YAML document that means the same',
  access: theDag('view'),
  params: versionParams,
  responses: { 200: { description: 'YAML.', type: 'application/yaml' } },
  async handle({ params, parts }) {
    const { dag } = await theVersion(params, parts.store)
    const headers = { 'content-type': 'application/yaml; charset=utf-8' }
    return { status: 200, headers, text: yamlText(dagDocument(dag)) }
  },
})

const getGraph = route({
  id: 'getDagGraph',
  method: 'GET',
  path: `${DAG}/versions/{version}/graph`,
  summary: 'Tasks of a version and what waits for what',
  access: theDag('view'),
  params: versionParams,
  responses: { 200: { description: 'The graph.', schema: graphAnswer } },
  async handle({ params, parts }) {
    return ok(graphOf((await theVersion(params, parts.store)).dag))
  },
})

const validate = route({
  id: 'validate',
  method: 'POST',
  path: '/api/v1/validate',
  summary: 'All that is wrong with documents; nothing is stored',
  access: { kind: 'known' },
  changesNothing: true,
  query: z.strictObject({ namespace }),
  body: { kind: 'document' },
  responses: { 200: { description: 'Errors and warnings; empty when all is well.', schema: problemList } },
  async handle({ query, body, principal, parts }) {
    const space = query.namespace ?? 'default'
    // DagTasks of a namespace are nobody's business who may not look into it.
    const store = mayIn(principal, space, 'view') ? parts.store : null
    const { problems } = await checkedDocument(String(body), space, store)
    return ok({
      problems: problems.map(({ at, ...rest }) => ({
        ...rest,
        ...(at === undefined ? {} : { at: { line: at.line, column: at.column } }),
      })),
    })
  },
})

export const DAG_ROUTES: readonly AnyRoute[] = [
  listDags,
  getDag,
  putDag,
  deleteDag,
  suspension('suspendDag', true),
  suspension('unsuspendDag', false),
  listVersions,
  getVersion,
  getSource,
  getGraph,
  validate,
]

interface Named {
  readonly namespace: string
  readonly name: string
}

type Reads = Parameters<typeof checkedDocument>[2] & object

async function inForce(store: Reads, { namespace: space, name }: Named): Promise<StoredDag> {
  const [stored] = (await store.dagPage({ namespace: space, dag: name, limit: 1 })).items
  if (stored !== undefined) return stored
  throw new RequestProblem('DAG_CHANGED', `DAG ${space}/${name} was removed meanwhile`, 'look at it again')
}

async function theVersion(named: Named & { readonly version: number }, store: Reads): Promise<StoredDag> {
  const { namespace: space, name, version } = named
  const stored = await store.dag(space, name, version)
  if (stored !== null) return stored
  const message = `DAG ${space}/${name} has no version ${version}`
  throw new RequestProblem('UNKNOWN_DAG', message, 'see its versions')
}

function versionOf({ version, hash, createdAt }: Omit<StoredDag, 'dag'>, current: StoredDag) {
  return { version, hash, createdAt: moment(createdAt), current: version === current.version }
}
