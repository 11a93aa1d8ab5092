import { suggester } from '../../core/nearest.ts'
import { EVENT_SCOPE } from '../../core/webhook/incoming.ts'
import { present, type Loose } from '../loose.ts'
import type { DagSpec, TriggerSpec } from '../schema/dag.ts'
import { TRIGGER_SOURCES } from '../schema/trigger.ts'
import { nameOf, shown } from '../shape.ts'
import type { Path } from '../source.ts'
import { checkExpressionAt, checkTemplateAt } from './expressions.ts'
import { checkDuration, checkLabel, checkUnique, type Report } from './words.ts'

/** Event sources: exactly one each, expressions over the event, parameters that the DAG declares. */
export function checkTriggers(spec: Loose<DagSpec>, dagName: string | undefined, report: Report): void {
  const declared = present(spec.parameters).flatMap(([, { name }]) => (name === undefined ? [] : [name]))
  const meant = suggester(declared)
  for (const [index, trigger] of present(spec.triggers)) {
    const path: Path = ['spec', 'triggers', index]
    if (trigger.name !== undefined) checkLabel('trigger name', trigger.name, [...path, 'name'], report)
    checkSource(trigger, path, dagName, report)
    checkTexts(trigger, path, report)
    checkMapping(trigger, declared, meant, path, report)
  }
  const names = present(spec.triggers).map(
    ([index, { name }]) => [name, ['spec', 'triggers', index, 'name']] as const,
  )
  checkUnique('trigger name', 'TRIGGER_DUPLICATE', names, report)
  const paths = present(spec.triggers).flatMap(([index, { name, webhook }]) => {
    if (webhook === undefined) return []
    const place: Path = [
      'spec',
      'triggers',
      index,
      'webhook',
      ...(webhook.path === undefined ? [] : ['path']),
    ]
    return [[webhook.path ?? name ?? String(index), place] as const]
  })
  for (const [path, place] of paths) checkHookPath(path, place, report)
  checkUnique('address of a webhook', 'TRIGGER_PATH', paths, report)
}

function checkSource(
  trigger: Loose<TriggerSpec>,
  path: Path,
  dagName: string | undefined,
  report: Report,
): void {
  const sources = TRIGGER_SOURCES.filter(source => trigger[source] !== undefined)
  if (sources.length !== 1) {
    report({
      code: 'TRIGGER_SOURCE',
      path: sources.length === 0 ? path : [...path, sources[1] ?? ''],
      on: 'key',
      message:
        sources.length === 0
          ? `${nameOf(path)} has no source`
          : `${nameOf(path)} has several sources: ${sources.join(', ')}`,
      fix: sources.length === 0 ? `add one of ${TRIGGER_SOURCES.join(', ')}` : 'make one trigger of each',
    })
  }
  const { webhook } = trigger
  if (webhook !== undefined && webhook.auth !== 'none' && webhook.secret === undefined) {
    report({
      code: 'TRIGGER_SECRET',
      path: [...path, 'webhook', 'secret'],
      message: 'the webhook has no secret, so anybody could start runs',
      fix: 'add secret: {name, key}, or say auth: none',
    })
  }
  checkDuration(webhook?.tolerance, [...path, 'webhook', 'tolerance'], 1_000, report)
  if (trigger.dag?.name !== undefined && trigger.dag.name === dagName) {
    report({
      code: 'DAG_CALLS_ITSELF',
      path: [...path, 'dag', 'name'],
      message: `the DAG ${dagName} would start itself for ever`,
      fix: 'name another DAG, or use a schedule',
    })
  }
  checkDuration(trigger.s3?.interval, [...path, 's3', 'interval'], 1000, report)
  for (const source of ['amqp', 'redis', 'mqtt'] as const) {
    checkAddress(trigger[source]?.url, [...path, source, 'url'], report)
  }
}

/** The last part of an address, of which the sender is told. */
function checkHookPath(text: string, path: Path, report: Report): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(text)) return
  report({
    code: 'TRIGGER_PATH',
    path,
    message: `${shown(text)} cannot be the last part of an address`,
    fix: 'use letters, digits, - and _, without a slash',
  })
}

function checkAddress(url: string | undefined, path: Path, report: Report): void {
  if (url === undefined) return
  const address = URL.canParse(url) ? new URL(url) : null
  if (address === null || address.hostname === '') {
    report({
      code: 'URL_INVALID',
      path,
      message: `${shown(url)} is not an address`,
      fix: 'write scheme://host:port, and nothing secret',
    })
  } else if (address.password !== '') {
    report({
      code: 'URL_SECRET',
      path,
      message: 'the address holds a password',
      fix: 'put it into a Secret and name that under password',
    })
  }
}

function checkTexts(trigger: Loose<TriggerSpec>, path: Path, report: Report): void {
  const { filter, dedupeKey } = trigger
  if (filter !== undefined) checkExpressionAt(filter, EVENT_SCOPE, 'boolean', [...path, 'filter'], report)
  if (dedupeKey !== undefined) checkTemplateAt(dedupeKey, EVENT_SCOPE, [...path, 'dedupeKey'], report)
  for (const [index, { value }] of present(trigger.parameters)) {
    if (value !== undefined) {
      checkTemplateAt(value, EVENT_SCOPE, [...path, 'parameters', index, 'value'], report)
    }
  }
}

function checkMapping(
  trigger: Loose<TriggerSpec>,
  declared: readonly string[],
  meant: ReturnType<typeof suggester>,
  path: Path,
  report: Report,
): void {
  const names = present(trigger.parameters).map(
    ([index, { name }]) => [name, [...path, 'parameters', index, 'name']] as const,
  )
  for (const [name, place] of names) {
    if (name === undefined || declared.includes(name)) continue
    report({
      code: 'PARAMETER_UNKNOWN',
      path: place,
      message: `the DAG declares no parameter ${name}`,
      fix: meant(name, `declare ${name} under spec.parameters`),
    })
  }
  checkUnique('parameter', 'PARAMETER_DUPLICATE', names, report)
}
