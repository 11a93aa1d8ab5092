type Schema = { readonly [key: string]: unknown }
type Operation = {
  readonly operationId: string
  readonly summary: string
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required: boolean
    readonly schema: Schema
    readonly description?: string
  }[]
  readonly requestBody?: {
    readonly required: boolean
    readonly content: Readonly<Record<string, { schema: Schema }>>
  }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { schema: Schema }>> }>
  >
}
/** What of an OpenAPI document this reads. */
export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

const HEAD = `/* Made from docs/reference/openapi.json by npm run generate. Not edited by hand. */

`

/** The types of a client, and the table that it works with, from nothing but the document. */
export function clientTypes(document: Document): string {
  const schemas = Object.entries(document.components.schemas).map(([name, schema]) =>
    declaration(name, schema),
  )
  const operations: string[] = []
  const table: string[] = []
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      operations.push(operationType(operation))
      table.push(tableRow(method, path, operation))
    }
  }
  return [
    HEAD,
    schemas.join('\n'),
    `\n/** What each operation takes and gives. */\nexport interface Operations {\n${operations.join('')}}\n`,
    `\n/** How each operation is asked for. */\nexport const OPERATIONS = {\n${table.join('')}} as const\n`,
  ].join('')
}

function declaration(name: string, schema: Schema): string {
  const text = typeOf(schema, '')
  return schema['type'] === 'object'
    ? `export interface ${name} ${text}\n`
    : `export type ${name} = ${text}\n`
}

function operationType(operation: Operation): string {
  const { operationId, summary, parameters = [], requestBody } = operation
  const groups = ['path', 'query', 'header'].map(place => {
    const members = parameters.filter(parameter => parameter.in === place)
    if (members.length === 0) return ''
    const needed = members.some(({ required }) => required)
    const lines = members.map(({ name, required, schema, description }) => {
      const type = typeOf(schema, '      ')
      return `${comment(description, '      ')}      ${nameOf(name)}${required ? '' : '?'}: ${type}
`
    })
    return `    ${PLACES[place]}${needed ? '' : '?'}: {\n${lines.join('')}    }\n`
  })
  const body = bodyType(requestBody)
  const needsBody = requestBody?.required === true ? '' : '?'
  const lines = [
    ...groups,
    body === null ? '' : `    body${needsBody}: ${body}\n`,
    `    answer: ${answerType(operation)}\n`,
  ]
  return `${comment(summary, '  ')}  ${operationId}: {\n${lines.join('')}  }\n`
}

const PLACES: Readonly<Record<string, string>> = { path: 'params', query: 'query', header: 'headers' }

function bodyType(body: Operation['requestBody']): string | null {
  if (body === undefined) return null
  const document = body.content['application/yaml']
  if (document !== undefined) return 'string'
  const json = body.content['application/json']
  return json === undefined ? null : typeOf(json.schema, '    ')
}

function answerType({ responses }: Operation): string {
  const types = new Set<string>()
  for (const [status, { content }] of Object.entries(responses)) {
    if (!status.startsWith('2')) continue
    const json = content?.['application/json']
    if (json !== undefined) types.add(typeOf(json.schema, '    '))
    else types.add(content === undefined ? 'undefined' : 'string')
  }
  return [...types].join(' | ') || 'undefined'
}

function tableRow(method: string, path: string, { operationId, responses, requestBody }: Operation): string {
  const kinds = Object.entries(responses)
    .filter(([status]) => status.startsWith('2'))
    .flatMap(([, { content }]) => Object.keys(content ?? {}))
  const answer = kinds.includes('application/json') ? 'json' : kinds.length === 0 ? 'nothing' : 'text'
  const body =
    requestBody === undefined ? 'nothing' : bodyType(requestBody) === 'string' ? 'document' : 'json'
  const how = `method: '${method.toUpperCase()}', path: '${path}', body: '${body}', answer: '${answer}'`
  return `  ${operationId}: { ${how} },\n`
}

/** The TypeScript of the JSON Schema that zod writes. */
function typeOf(schema: Schema, indent: string): string {
  const { $ref, type, anyOf, oneOf, allOf } = schema
  if (typeof $ref === 'string') return $ref.replace(/^.*\//, '')
  if ('const' in schema) return literal(schema['const'])
  if (Array.isArray(schema['enum'])) return schema['enum'].map(value => literal(value)).join(' | ')
  for (const list of [anyOf, oneOf])
    if (Array.isArray(list)) return unique(list.map((one: Schema) => typeOf(one, indent))).join(' | ')
  if (Array.isArray(allOf)) return allOf.map((one: Schema) => typeOf(one, indent)).join(' & ')
  if (Array.isArray(type))
    return unique(type.map(one => typeOf({ ...schema, type: one }, indent))).join(' | ')
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
      return type
    case 'integer':
    case 'number':
      return 'number'
    case 'array': {
      const item = typeOf((schema['items'] ?? {}) as Schema, indent)
      return / [|&] /.test(item) ? `(${item})[]` : `${item}[]`
    }
    case 'object':
      return objectType(schema, indent)
    default:
      return 'unknown'
  }
}

function objectType(schema: Schema, indent: string): string {
  const members = Object.entries((schema['properties'] ?? {}) as Readonly<Record<string, Schema>>)
  const required = new Set((schema['required'] ?? []) as readonly string[])
  const more = schema['additionalProperties']
  const isMap = typeof more === 'object' && more !== null && Object.keys(more).length > 0
  if (members.length === 0) {
    if (!isMap) return 'Record<string, unknown>'
    const names = (schema['propertyNames'] ?? {}) as Schema
    const keys = 'enum' in names ? typeOf(names, indent) : 'string'
    return `Record<${keys}, ${typeOf(more as Schema, indent)}>`
  }
  const inner = `${indent}  `
  const lines = members.map(([name, member]) => {
    const text = typeOf(member, inner)
    return `${comment(member['description'], inner)}${inner}${nameOf(name)}${required.has(name) ? '' : '?'}: ${text}\n`
  })
  // Fields that are not named may come with any value.
  const open = typeof more === 'object' && more !== null && !isMap ? `${inner}[field: string]: unknown\n` : ''
  return `{\n${lines.join('')}${open}${indent}}`
}

const unique = (texts: readonly string[]): readonly string[] => [...new Set(texts)]
const literal = (value: unknown): string => (typeof value === 'string' ? `'${value}'` : JSON.stringify(value))
const nameOf = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? name : `'${name}'`)

function comment(text: unknown, indent: string): string {
  return typeof text === 'string' ? `${indent}/** ${text.replaceAll('*/', '*\\/')} */\n` : ''
}
