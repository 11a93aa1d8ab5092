import * as z from 'zod'
import { API_CODES } from './problem-codes.ts'
import type { AnyRoute } from './route.ts'
import { problemAnswer } from './schemas/problem.ts'
import { liveMessage } from './schemas/run.ts'

type Json = { [key: string]: unknown }

/**
 * The OpenAPI 3.1 document of a table of routes: the very schemas that requests and answers are checked with. Schemas
 * with an id are components.
 */
export function openApiOf(routes: readonly AnyRoute[]): object {
  const components: Json = {}
  const schemaOf = (schema: z.ZodType, io: 'input' | 'output'): Json => schemaIn(components, schema, io)
  const paths: { [path: string]: Json } = {}
  for (const route of routes) {
    const path = (paths[route.path] ??= {})
    path[route.method.toLowerCase()] = operationOf(route, schemaOf)
  }
  const codes = Object.keys(API_CODES).join(', ')
  schemaOf(problemAnswer, 'output')
  schemaOf(liveMessage, 'output')
  return {
    openapi: '3.1.0',
    info: {
      title: 'Kontroler',
      version: 'v1',
      description: 'DAGs, runs and their logs. Members are added to answers, never renamed or taken away.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ bearer: [] }, { cookie: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        cookie: { type: 'apiKey', in: 'cookie', name: 'kontroler-PORT' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-kontroler-session',
          description: 'Of a user who is signed in; without TLS it is kontroler-session-PORT.',
        },
      },
      responses: {
        Problem: {
          description: `What is wrong. Its code is one of the reference, or of these: ${codes}.`,
          content: { 'application/problem+json': { schema: ref('Problem') } },
        },
      },
      schemas: Object.fromEntries(Object.entries(components).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    },
  }
}

function operationOf(route: AnyRoute, schemaOf: (schema: z.ZodType, io: 'input' | 'output') => Json): Json {
  const { access } = route
  const parameters = [
    ...membersOf(route.params).map(([name, schema]) => ({
      name,
      in: 'path',
      required: true,
      ...described(schemaOf(schema, 'input')),
    })),
    ...membersOf(route.query).map(([name, schema]) => ({
      name,
      in: 'query',
      required: !schema.safeParse(undefined).success,
      ...described(querySchema(schemaOf, schema)),
    })),
    ...Object.entries(route.headers ?? {}).map(([name, description]) => ({
      name,
      in: 'header',
      required: false,
      description,
      schema: { type: 'string' },
    })),
  ]
  const answers = Object.entries(route.responses).map(([status, { description, schema, type, headers }]) => [
    status,
    {
      description,
      ...(headers === undefined ? {} : { headers: headerDocuments(headers) }),
      ...contentOf(schema === undefined ? undefined : schemaOf(schema, 'output'), type),
    },
  ])
  return {
    operationId: route.id,
    summary: route.summary,
    'x-access': 'permission' in access ? access.permission : access.kind,
    ...(access.kind === 'everything' ? { 'x-namespace': '*' } : {}),
    ...(access.kind === 'public' || access.kind === 'entrance' || access.kind === 'signed'
      ? { security: [] }
      : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...bodyOf(route, schemaOf),
    responses: { ...Object.fromEntries(answers), default: { $ref: '#/components/responses/Problem' } },
  }
}

/** A list stands in a query several times; what texts become is what clients think of. */
function querySchema(schemaOf: (schema: z.ZodType, io: 'input' | 'output') => Json, schema: z.ZodType): Json {
  const out = schemaOf(schema, 'output')
  const { type } = out
  if (type === 'array' || type === 'integer' || 'enum' in out) return out
  const input = schemaOf(schema, 'input')
  return Object.keys(input).some(key => key !== 'description') ? input : { ...input, ...TEXTS }
}

/** `label=NAME=value`, as often as there are labels. */
const TEXTS = { type: 'array', items: { type: 'string' } }

function bodyOf({ body }: AnyRoute, schemaOf: (schema: z.ZodType, io: 'input' | 'output') => Json): Json {
  if (body === undefined) return {}
  if (body.kind === 'json') {
    const content = { 'application/json': { schema: schemaOf(body.schema, 'input') } }
    return { requestBody: { required: body.optional !== true, content } }
  }
  if (body.kind === 'bytes') {
    const schema = {
      type: 'string',
      description: 'Whatever the sender sends; JSON and forms are understood.',
    }
    return { requestBody: { required: false, content: { '*/*': { schema } } } }
  }
  const text = { schema: { type: 'string', description: 'A document of kind DAG.' } }
  const content = { 'application/yaml': text, 'application/json': { schema: { type: 'object' } } }
  return { requestBody: { required: true, content } }
}

function contentOf(schema: Json | undefined, type: string | undefined): Json {
  if (schema !== undefined) return { content: { 'application/json': { schema } } }
  if (type === undefined) return {}
  return { content: { [type]: { schema: { type: type === 'application/json' ? 'object' : 'string' } } } }
}

function headerDocuments(headers: Readonly<Record<string, string>>): Json {
  return Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
  )
}

function described(schema: Json): Json {
  const { description, ...rest } = schema
  return description === undefined ? { schema: rest } : { description, schema: rest }
}

function membersOf(schema: z.ZodType | undefined): readonly (readonly [string, z.ZodType])[] {
  return schema instanceof z.ZodObject ? (Object.entries(schema.shape) as [string, z.ZodType][]) : []
}

/** A schema with its named parts moved to the components. */
function schemaIn(components: Json, schema: z.ZodType, io: 'input' | 'output'): Json {
  const made = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    unrepresentable: 'any',
    reused: 'inline',
  }) as Json
  const { $defs, $schema: _, ...root } = made
  for (const [name, definition] of Object.entries(($defs ?? {}) as Json))
    components[name] = tidied(definition)
  return tidied(root) as Json
}

const ref = (id: string): Json => ({ $ref: `#/components/schemas/${id}` })

/** Without what says nothing to anybody, and with references into the components. */
function tidied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidied)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).flatMap(([key, part]): [string, unknown][] => {
    if (key === 'id' && typeof part === 'string') return []
    if (key === 'maximum' && part === Number.MAX_SAFE_INTEGER) return []
    if (key === 'minimum' && part === Number.MIN_SAFE_INTEGER) return []
    if (key === '$ref' && typeof part === 'string')
      return [[key, part.replace('#/$defs/', '#/components/schemas/')]]
    return [[key, tidied(part)]]
  })
  return Object.fromEntries(entries)
}
