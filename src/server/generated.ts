import { type Document, clientTypes } from './client-types.ts'
import { openApiOf } from './openapi.ts'
import { ROUTES } from './routes.ts'

/** Every file that is made from the table of routes: its path from the root of the repository, and its text. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const text = `${JSON.stringify(openApiOf(ROUTES), null, 2)}\n`
  // Read back, so that the client is made of the document and of nothing else.
  const types = clientTypes(JSON.parse(text) as Document)
  return new Map([
    ['docs/reference/openapi.json', text],
    ['src/client/api-types.ts', types],
  ])
}
