import type { Body, ReadOptions, RequestOptions, WriteOptions } from './client.ts'
import { CLIENT_LIMITS } from './limits.ts'
import { ApiProblem, type Effect } from './problem.ts'
import { type Query, withQuery } from './resource.ts'
import type { Call, OpenAnswer, Transport } from './transport.ts'

export const METADATA = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'
export const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'
export const JSON_TYPE = 'application/json'

/** What a verb says of its request; the rest comes from the caller's options and the defaults. */
export type Facts = Pick<Call, 'method' | 'path' | 'repeat'> & Partial<Call>

/** A write with a body, and where it goes. */
export interface Write {
  readonly method: 'POST' | 'PUT' | 'PATCH'
  readonly path: string
  readonly repeat: Call['repeat']
  readonly contentType: string
  readonly body: Body
  readonly query?: Query
}

/** The transport with the client's defaults filled in: what the verbs stand on. */
export interface Sender {
  send(facts: Facts, given: RequestOptions | undefined): Promise<Buffer>
  write(write: Write, given: WriteOptions | undefined): Promise<Buffer>
  stream(facts: Facts, given: RequestOptions | undefined, slot: 'slot' | 'noSlot'): Promise<OpenAnswer>
}

export function createSender(transport: Transport, fieldManager: string): Sender {
  return {
    send: async (facts, given) => (await transport.send(callOf(facts, given))).body,
    stream: (facts, given, slot) => transport.stream(callOf(facts, given), slot),
    async write({ query, body, path, ...write }, given) {
      const whole = withQuery(path, {
        ...query,
        fieldManager: given?.fieldManager ?? fieldManager,
        dryRun: given?.dryRun === true ? 'All' : undefined,
        fieldValidation: given?.fieldValidation,
        timeout: serverTimeout(given?.attemptMs ?? CLIENT_LIMITS.attemptMs),
      })
      const call = callOf({ ...write, path: whole, accept: acceptOf(given), body: textOf(body) }, given)
      return (await transport.send(call)).body
    },
  }
}

/** The server gives up when we do, so that nothing of a request happens long after. */
export const serverTimeout = (attemptMs: number): string => `${Math.ceil(attemptMs / 1_000)}s`

export const acceptOf = (given: ReadOptions | undefined): string =>
  given?.metadataOnly === true ? METADATA : JSON_TYPE

export const textOf = (body: Body): string | Buffer =>
  typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)

/**
 * The answer as data. What it holds is taken on trust: it comes from the API server that we are logged in to.
 *
 * @param effect What an answer that is not JSON says of the effect.
 * @throws {ApiProblem} `garbled`
 */
export function parsed<T>(body: Buffer, effect: Effect = 'none'): T {
  try {
    return JSON.parse(body.toString('utf8')) as T
  } catch (error) {
    throw new ApiProblem({
      kind: 'garbled',
      effect,
      message: `the answer is not JSON: ${error instanceof Error ? error.message : String(error)}`,
    })
  }
}

const callOf = (facts: Facts, given: RequestOptions | undefined): Call => ({
  measured: true,
  ...facts,
  priority: given?.priority ?? 'fanOut',
  deadlineMs: given?.deadlineMs ?? CLIENT_LIMITS.deadlineMs,
  attemptMs: given?.attemptMs ?? facts.attemptMs ?? CLIENT_LIMITS.attemptMs,
  ...(given?.signal === undefined ? {} : { signal: given.signal }),
})
