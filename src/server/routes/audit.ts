import { Readable } from 'node:stream'
import * as z from 'zod'
import { moment as momentText } from '../../core/run/run-data.ts'
import type { Accounts, AuditQuery } from '../../ports/accounts.ts'
import { type Visible, within } from '../access.ts'
import { accountsOf } from '../accounts/sign-in.ts'
import { SERVER_LIMITS } from '../limits.ts'
import { RequestProblem } from '../problem.ts'
import { type AnyRoute, ok, route } from '../route.ts'
import { auditPage, auditVerdict } from '../schemas/account.ts'
import { after, limit, moment, namespace } from '../schemas/values.ts'
import { given } from '../given.ts'

const AUDIT = '/api/v1/audit'
/** Who is admin of some namespaces sees what was done there, and nothing of what belongs to none. */
const ADMINS = { kind: 'visible', permission: 'admin' } as const

const filter = {
  namespace,
  actor: z.string().min(1).max(200).optional().describe('Id of who asked, such as `user:…`.'),
  action: z.string().min(1).max(100).optional(),
  outcome: z.enum(['done', 'denied', 'refused', 'failed']).optional(),
  from: moment.optional(),
  before: moment.optional(),
}

const listAudit = route({
  id: 'listAudit',
  method: 'GET',
  path: AUDIT,
  summary: 'What was done and what was denied, newest first',
  access: ADMINS,
  needs: 'accounts',
  query: z.strictObject({ ...filter, limit, after }),
  responses: { 200: { description: 'One page.', schema: auditPage } },
  async handle({ query, visible, parts }) {
    const { items, next } = await accountsOf(parts).accounts.audit(queryOf(query, visible))
    return ok({ items: items.map(entry => ({ ...entry, at: momentText(entry.at) })), next })
  },
})

const verifyAudit = route({
  id: 'verifyAudit',
  method: 'GET',
  path: `${AUDIT}/verification`,
  summary: 'Reads the whole log, and says whether an entry was changed or taken out',
  access: { kind: 'everything', permission: 'admin' },
  needs: 'accounts',
  query: z.strictObject({
    seq: z.coerce.number().int().min(1).optional().describe('Number of an entry that was noted elsewhere.'),
    hash: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional()
      .describe('Its hash.'),
  }),
  responses: { 200: { description: 'What was found.', schema: auditVerdict } },
  async handle({ query: { seq, hash }, parts }) {
    if ((seq === undefined) !== (hash === undefined))
      throw new RequestProblem('INVALID_REQUEST', 'seq and hash belong together', 'give both, or none')
    const known = seq === undefined || hash === undefined ? undefined : { seq, hash }
    const { accounts } = accountsOf(parts)
    return ok(await parts.replays.take(() => accounts.verifyAudit(known)))
  },
})

const exportAudit = route({
  id: 'exportAudit',
  method: 'GET',
  path: `${AUDIT}/export`,
  summary: 'The same as JSON lines, newest first, as the hashes are made of them',
  access: ADMINS,
  needs: 'accounts',
  query: z.strictObject(filter),
  responses: { 200: { description: 'An entry on each line.', type: 'application/x-ndjson' } },
  async handle({ query, visible, stillMay, parts }) {
    const { accounts } = accountsOf(parts)
    const lines = linesOf(accounts, queryOf(query, visible), stillMay)
    const headers = {
      'content-type': 'application/x-ndjson; charset=utf-8',
      'content-disposition': 'attachment; filename="audit.ndjson"',
    }
    return { status: 200, headers, stream: Readable.from(lines, { objectMode: false }) }
  },
})

export const AUDIT_ROUTES: readonly AnyRoute[] = [listAudit, verifyAudit, exportAudit]

type Filter = { readonly [Name in keyof AuditQuery]?: AuditQuery[Name] | undefined }

const queryOf = (query: Filter, visible: Visible): AuditQuery => ({ ...given(query), ...within(visible) })

/** Read as fast as the client takes it, and no further than it may. */
async function* linesOf(
  accounts: Accounts,
  query: AuditQuery,
  stillMay: () => Promise<boolean>,
): AsyncGenerator<string> {
  for (let next: string | null | undefined; next !== null; ) {
    const page = { ...query, limit: SERVER_LIMITS.pageMax, ...(next === undefined ? {} : { after: next }) }
    const found = await accounts.audit(page)
    for (const entry of found.items) yield `${JSON.stringify(entry)}\n`
    next = (await stillMay()) ? found.next : null
  }
}
