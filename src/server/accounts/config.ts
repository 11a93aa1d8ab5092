import * as z from 'zod'
import { parseDuration } from '../../core/dag/duration.ts'
import type { Problem } from '../../core/problem.ts'
import { placed, sourceText } from '../../spec/source.ts'
import { parseYaml } from '../../spec/yaml.ts'
import { invalid } from '../invalid.ts'
import { grantsOf, providerParams, roles } from '../schemas/account.ts'
import { shapeOf } from '../shape-of.ts'
import { type OidcSettings, isIssuer } from './oidc.ts'
import { type AccountSettings, SETTINGS_DEFAULT } from './parts.ts'

/** What a file says of accounts. */
export interface AccountsConfig extends Omit<AccountSettings, 'publicUrl'> {
  /** Null: the address that the server listens on. */
  readonly publicUrl: string | null
  readonly auditKeep: number
  readonly auditAgeMs: number
  readonly providers: readonly ProviderConfig[]
}

export interface ProviderConfig extends Omit<OidcSettings, 'clientSecret'> {
  /** File with the secret of the client; null: a public client. */
  readonly clientSecretFile: string | null
}

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const AUDIT_KEEP = 1_000_000
const AUDIT_DAYS = 365

const duration = z.string().transform((text, context) => {
  const ms = parseDuration(text)
  if (ms !== null && ms >= MINUTE_MS) return ms
  context.addIssue({ code: 'custom', message: 'write it as 30m, 8h or 7d, at least 1m' })
  return z.NEVER
})

const publicUrl = z.string().transform((text, context) => {
  const url = URL.parse(text)
  const isPlain = url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`
  if (isPlain && url.username === '') return url.origin
  context.addIssue({
    code: 'custom',
    message: 'write it as https://HOST or https://HOST:PORT, without a path',
  })
  return z.NEVER
})

const provider = z
  .strictObject({
    name: providerParams.shape.provider,
    title: z.string().min(1).max(60).optional(),
    issuer: z.string().refine(isIssuer, 'write it as https://…, as the provider does'),
    clientId: z.string().min(1).max(500),
    clientSecretFile: z.string().min(1).optional(),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/))
      .max(20)
      .default(['profile']),
    nameClaim: z.string().min(1).max(200).default('preferred_username'),
    groupsClaim: z.string().min(1).max(200).optional(),
    roles: z.record(z.string(), roles).optional(),
  })
  .refine(one => (one.groupsClaim === undefined) === (one.roles === undefined), {
    message: 'give groupsClaim and roles together, or none of them',
  })

const document = z.strictObject({
  publicUrl: publicUrl.optional(),
  passwords: z.boolean().default(true),
  sessions: z.strictObject({ idle: duration.optional(), max: duration.optional() }).default({}),
  audit: z
    .strictObject({ keep: z.int().min(1_000).max(1_000_000_000).optional(), age: duration.optional() })
    .default({}),
  providers: z
    .array(provider)
    .max(20)
    .refine(all => new Set(all.map(({ name }) => name)).size === all.length, 'give each another name')
    .default([]),
})

/** Reads what a file says of accounts; null is the configuration where there is no file. */
export function readAccounts(file: { readonly name: string; readonly text: string } | null): {
  readonly config: AccountsConfig
  readonly problems: readonly Problem[]
} {
  if (file === null) return { config: configOf(document.parse({})), problems: [] }
  const { documents, problems } = parseYaml(sourceText(file.name, file.text))
  const [first, more] = documents
  if (problems.length > 0 || first === undefined) return { config: configOf(document.parse({})), problems }
  const read = document.safeParse(first.value, { reportInput: true })
  const found: Problem[] = read.success ? [] : [...invalid('file', read.error, shapeOf(document)).problems]
  if (more !== undefined)
    found.push({
      code: 'FIELD_VALUE',
      severity: 'error',
      path: [],
      message: 'the file holds several documents',
      fix: 'leave one',
    })
  const config = configOf(read.success ? read.data : document.parse({}))
  return { config, problems: found.map(problem => placed(first, problem)) }
}

function configOf(read: z.infer<typeof document>): AccountsConfig {
  return {
    publicUrl: read.publicUrl ?? null,
    passwords: read.passwords,
    sessionIdleMs: read.sessions.idle ?? SETTINGS_DEFAULT.sessionIdleMs,
    sessionMaxMs: read.sessions.max ?? SETTINGS_DEFAULT.sessionMaxMs,
    auditKeep: read.audit.keep ?? AUDIT_KEEP,
    auditAgeMs: read.audit.age ?? AUDIT_DAYS * DAY_MS,
    providers: read.providers.map(({ title, clientSecretFile, groupsClaim, roles: groups, ...one }) => ({
      ...one,
      title: title ?? one.name,
      clientSecretFile: clientSecretFile ?? null,
      groupsClaim: groupsClaim ?? null,
      rolesOfGroups: new Map(Object.entries(groups ?? {}).map(([name, given]) => [name, grantsOf(given)])),
    })),
  }
}
