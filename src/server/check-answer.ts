import { isDeepStrictEqual } from 'node:util'
import type { AnyRoute, Answer } from './route.ts'

/**
 * Holds a route to what it declares: a status that it names, and no field more or less than its schema has.
 *
 * @throws {Error} It does not.
 */
export function checkAnswer({ id, responses }: AnyRoute, { status, body }: Answer): void {
  const form = responses[status]
  if (form === undefined) throw new Error(`${id} answers ${status}, which it does not declare`)
  if (form.schema === undefined) {
    if (body !== undefined) throw new Error(`${id} answers ${status} with a body it does not declare`)
    return
  }
  const sent: unknown = JSON.parse(JSON.stringify(body))
  const read = form.schema.safeParse(sent)
  if (!read.success) throw new Error(`${id} answers ${status} with what does not fit: ${read.error.message}`)
  if (!isDeepStrictEqual(read.data, sent)) throw new Error(`${id} answers ${status} with undeclared fields`)
}
