import { unsupported, RequestProblem } from './problem.ts'
import type { AnyRoute } from './route.ts'

const DOCUMENT_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml', 'text/plain']

/** Forms of the answers of a route. */
export function formsOf(route: AnyRoute): readonly string[] {
  const forms = Object.values(route.responses).map(({ type, schema }) =>
    schema === undefined ? type : 'application/json',
  )
  return [...new Set(forms.filter(form => form !== undefined))]
}

/** @throws {RequestProblem} `NOT_ACCEPTABLE` */
export function checkAccept(accept: string | undefined, forms: readonly string[]): void {
  if (accept === undefined || forms.length === 0) return
  const ranges = accept
    .split(',')
    .map(range => range.trim().toLowerCase().split(';'))
    .filter(([, ...parameters]) => !parameters.some(text => /^\s*q=0(?:\.0*)?\s*$/.test(text)))
    .map(([type = '']) => type.trim())
  const takes = (form: string): boolean =>
    ranges.some(range => range === '*/*' || range === form || range === `${form.split('/')[0]}/*`)
  if (forms.some(form => takes((form.split(';')[0] ?? '').trim()))) return
  throw new RequestProblem(
    'NOT_ACCEPTABLE',
    'the client takes none of the forms of the answer',
    `accept one of: ${forms.join(', ')}`,
  )
}

/** @throws {RequestProblem} `UNSUPPORTED_MEDIA_TYPE` */
export function checkContent(
  type: string | undefined,
  encoding: string | undefined,
  { body }: Pick<AnyRoute, 'body'>,
): void {
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw unsupported(`a body with content-encoding ${encoding.slice(0, 40)}`)
  const given = (type ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  const taken = body?.kind === 'document' ? ['application/json', ...DOCUMENT_TYPES] : ['application/json']
  if (body === undefined)
    throw new RequestProblem('UNSUPPORTED_MEDIA_TYPE', 'a body is not taken here', 'send none')
  if (body.kind !== 'bytes' && !taken.includes(given))
    throw unsupported(given === '' ? 'a body of no form' : given.slice(0, 100), taken.join(' or '))
}
