import { RESERVED_HEADERS } from '../../core/webhook/outgoing.ts'
import { present, type Loose } from '../loose.ts'
import type { DagSpec } from '../schema/dag.ts'
import { shown } from '../shape.ts'
import type { Path } from '../source.ts'
import { checkSecretRef, isGiven } from './parameters.ts'
import { checkUnique, type Report } from './words.ts'

/** Outgoing notifications: an address that can be called, headers that can be sent. An empty address is none. */
export function checkWebhook(webhook: Loose<DagSpec>['webhook'], report: Report): void {
  if (webhook === undefined) return
  const path: Path = ['spec', 'webhook']
  checkUrl(webhook.url, [...path, 'url'], report)
  checkSecretRef(webhook.secret, [...path, 'secret'], report)
  const headers = present(webhook.headers)
  for (const [index, header] of headers) {
    const place = [...path, 'headers', index]
    const name = header.name ?? ''
    if (header.name !== undefined && !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(header.name)) {
      report({
        code: 'HEADER_INVALID',
        path: [...place, 'name'],
        message: `${shown(header.name)} cannot be the name of a header`,
        fix: 'use letters, digits and -',
      })
    }
    if (RESERVED_HEADERS.has(name.toLowerCase())) {
      report({
        code: 'HEADER_INVALID',
        path: [...place, 'name'],
        message: `the header ${name} is set by Kontroler itself`,
        fix: 'leave it out',
      })
    }
    if (isGiven(header.value) === isGiven(header.fromSecret)) {
      report({
        code: 'HEADER_INVALID',
        path: isGiven(header.value) ? [...place, 'fromSecret'] : place,
        message: `the header ${name} needs value or fromSecret, and not both`,
        fix: 'keep one of the two',
      })
    }
    if (header.value !== undefined && /[\r\n]/.test(header.value)) {
      report({
        code: 'HEADER_INVALID',
        path: [...place, 'value'],
        message: `the header ${name} holds a line break`,
        fix: 'write it in one line',
      })
    }
    checkSecretRef(header.fromSecret, [...place, 'fromSecret'], report)
  }
  const names = headers.map(
    ([index, header]) => [header.name?.toLowerCase(), [...path, 'headers', index, 'name']] as const,
  )
  checkUnique('header', 'HEADER_INVALID', names, report)
}

function checkUrl(url: string | undefined, path: Path, report: Report): void {
  if (url === undefined || url === '') return
  const address = URL.canParse(url) ? new URL(url) : null
  if (address === null || !['http:', 'https:'].includes(address.protocol)) {
    report({
      code: 'URL_INVALID',
      path,
      message: `the webhook ${shown(url)} is not an http or https address`,
      fix: 'write it as https://host/path',
    })
  } else if (address.password !== '') {
    report({
      code: 'URL_SECRET',
      severity: 'warning',
      path,
      message: 'the address of the webhook holds a password, which every reader of the DAG sees',
      fix: 'send it in headers with fromSecret',
    })
  }
}
