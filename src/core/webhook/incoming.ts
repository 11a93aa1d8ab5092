import type { Dag, ParameterValue, SecretRef } from '../dag/dag.ts'
import { parseDuration } from '../dag/duration.ts'
import { compileExpression, compileTemplate } from '../expression/cel.ts'
import { type ExpressionScope, type ExpressionValues, ExpressionError } from '../expression/expression.ts'
import type { Json } from '../json.ts'
import { fieldOf, itemsOf, secretRefOf } from './outgoing.ts'

/** An address of a DAG at which an event starts a run. */
export interface IncomingWebhook {
  /** Last part of the address. */
  readonly path: string
  /** Null: whoever knows the address may start runs. */
  readonly proof: Proof | null
  readonly filter: string | null
  readonly parameters: readonly { readonly name: string; readonly value: string }[]
  readonly dedupeKey: string | null
}

/** How the sender proves itself. Names of headers are in small letters. */
export type Proof =
  | { readonly kind: 'token'; readonly secret: SecretRef; readonly header: string; readonly prefix: string }
  | {
      readonly kind: 'hmac'
      readonly secret: SecretRef
      readonly header: string
      readonly prefix: string
      readonly algorithm: 'sha256' | 'sha512' | 'sha1'
      readonly encoding: 'hex' | 'base64'
    }
  /** The signature is over a time, too: what is older than `toleranceMs` is refused. */
  | { readonly kind: 'stripe' | 'standard'; readonly secret: SecretRef; readonly toleranceMs: number }

/** The event as expressions see it. */
export interface HookEvent {
  readonly body: Json
  readonly headers: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, Json>>
}

/** While no run exists yet, there is the event and nothing else. */
export const EVENT_SCOPE: ExpressionScope = {
  parameters: new Map(),
  tasks: new Map(),
  item: false,
  event: true,
  attempt: false,
}

const TOLERANCE_MS = 300_000

/** The trigger of a DAG that answers at this address; null when there is none. The document was checked. */
export function incomingOf(dag: Dag, path: string): IncomingWebhook | null {
  for (const [index, trigger] of itemsOf(dag.extra['triggers'] ?? null).entries()) {
    const webhook = fieldOf(trigger, 'webhook')
    if (webhook === null || pathOf(trigger, webhook, index) !== path) continue
    const auth = textOf(webhook, 'auth')
    const proof = auth === 'none' ? null : proofOf(webhook, auth)
    // One that asks for a proof and names nothing to check it with lets nobody in.
    if (auth !== 'none' && proof === null) return null
    return {
      path,
      proof,
      filter: textOf(trigger, 'filter'),
      parameters: itemsOf(fieldOf(trigger, 'parameters')).map(one => ({
        name: textOf(one, 'name') ?? '',
        value: textOf(one, 'value') ?? '',
      })),
      dedupeKey: textOf(trigger, 'dedupeKey'),
    }
  }
  return null
}

/** Addresses of a DAG's hooks, below `/hooks/NAMESPACE/DAG/`. */
export function hookPaths(dag: Dag): readonly string[] {
  return itemsOf(dag.extra['triggers'] ?? null).flatMap((trigger, index) => {
    const webhook = fieldOf(trigger, 'webhook')
    return webhook === null ? [] : [pathOf(trigger, webhook, index)]
  })
}

/** What an event comes to. */
export type Judgement =
  | { readonly kind: 'passed' }
  | {
      readonly kind: 'refused'
      readonly where: 'filter' | 'parameters' | 'dedupeKey'
      readonly message: string
    }
  | {
      readonly kind: 'wanted'
      readonly parameters: readonly ParameterValue[]
      /** Null: the document says nothing of it. */
      readonly dedupeKey: string | null
    }

/** Asks the filter, and makes parameters and key of the event. */
export function judge(hook: IncomingWebhook, event: HookEvent): Judgement {
  const values: ExpressionValues = {
    parameters: {},
    tasks: {},
    run: { id: '', name: '', dag: '', scheduledTime: '' },
    event: event as unknown as Json,
  }
  let where: Extract<Judgement, { kind: 'refused' }>['where'] = 'filter'
  try {
    if (hook.filter !== null && compiled(hook.filter).evaluate(values) !== true) return { kind: 'passed' }
    where = 'parameters'
    const parameters = hook.parameters.map(({ name, value }): ParameterValue => {
      const text = template(value).render(values)
      return { name, value: { kind: 'value', value: text } }
    })
    where = 'dedupeKey'
    const dedupeKey = hook.dedupeKey === null ? null : template(hook.dedupeKey).render(values)
    return { kind: 'wanted', parameters, dedupeKey }
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return { kind: 'refused', where, message: error.message }
  }
}

function compiled(text: string) {
  const expression = compileExpression(text, EVENT_SCOPE, 'boolean')
  if (expression.ok) return expression.value
  throw new ExpressionError(text, expression.problems[0]?.message ?? 'cannot be read')
}

function template(text: string) {
  const made = compileTemplate(text, EVENT_SCOPE)
  if (made.ok) return made.value
  throw new ExpressionError(text, made.problems[0]?.message ?? 'cannot be read')
}

function pathOf(trigger: Json, webhook: Json, index: number): string {
  return (textOf(webhook, 'path') ?? textOf(trigger, 'name') ?? String(index)).replace(/^\/+/, '')
}

function proofOf(webhook: Json, auth: string | null): Proof | null {
  const secret = secretRefOf(fieldOf(webhook, 'secret'))
  if (secret === null) return null
  const sender = textOf(webhook, 'sender')
  if (sender === 'stripe' || sender === 'standard') {
    const tolerance = parseDuration(textOf(webhook, 'tolerance') ?? '')
    return { kind: sender, secret, toleranceMs: tolerance ?? TOLERANCE_MS }
  }
  const header = textOf(webhook, 'header')?.toLowerCase()
  const prefix = textOf(webhook, 'prefix')
  if (sender === 'gitlab') return { kind: 'token', secret, header: header ?? 'x-gitlab-token', prefix: '' }
  if (auth === 'token') {
    const own = header ?? 'authorization'
    return {
      kind: 'token',
      secret,
      header: own,
      prefix: prefix ?? (own === 'authorization' ? 'Bearer ' : ''),
    }
  }
  const isGithub = sender === 'github' || header === undefined
  return {
    kind: 'hmac',
    secret,
    header: header ?? 'x-hub-signature-256',
    prefix: prefix ?? (isGithub ? 'sha256=' : ''),
    algorithm: oneOf(textOf(webhook, 'algorithm'), ['sha256', 'sha512', 'sha1']),
    encoding: oneOf(textOf(webhook, 'encoding'), ['hex', 'base64']),
  }
}

function oneOf<T extends string>(text: string | null, choices: readonly [T, ...T[]]): T {
  return choices.find(choice => choice === text) ?? choices[0]
}

function textOf(value: Json, name: string): string | null {
  const found = fieldOf(value, name)
  return typeof found === 'string' ? found : null
}
