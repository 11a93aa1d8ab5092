import type { Client, RequestOptions } from '../../kubernetes/client.ts'
import { isProblem } from '../../kubernetes/problem.ts'
import { PODS } from '../../kubernetes/resource.ts'
import type { OpenAnswer } from '../../kubernetes/transport.ts'
import { type ContainerLogRequest, type ContainerLogSource, LogUnavailable } from './log-source.ts'

/** The collector repeats by itself, and lets others go first meanwhile. */
const DEADLINE_MS = 15_000

/** Logs as the API server hands them on from the kubelets. */
export function createApiLogSource(client: Client): ContainerLogSource {
  return {
    async open(request, signal) {
      const { namespace, pod: name, container, sinceTime, follow } = request
      const options: RequestOptions = {
        signal,
        deadlineMs: DEADLINE_MS,
        // What is followed is read by somebody, or about to be lost.
        priority: follow ? 'fanOut' : 'housekeeping',
      }
      const query = { container, timestamps: true, follow, ...(sinceTime === undefined ? {} : { sinceTime }) }
      try {
        return read(await client.logs({ namespace, name }, query, options))
      } catch (error) {
        throw signal.aborted ? error : await unavailable(client, request, error)
      }
    },
  }
}

async function* read(answer: OpenAnswer): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of answer.body) yield chunk as Uint8Array
  } catch (error) {
    const problem = answer.problem(error)
    throw new LogUnavailable('away', problem.message, { cause: problem })
  } finally {
    answer.body.destroy()
  }
}

/**
 * Seen of Kubernetes 1.36:
 *
 * | what is asked for | answer |
 * |---|---|
 * | a container that waits for its start | 400 |
 * | a pod that is on no node | 200, and nothing |
 * | a pod that is gone, or its node | 404 |
 * | a file that is gone from its node | 200, and words of the kubelet in place of the log |
 * | a kubelet that cannot be reached | 500 without a reason; the same as from an API server in trouble |
 */
async function unavailable(client: Client, request: ContainerLogRequest, error: unknown): Promise<unknown> {
  const as = (kind: LogUnavailable['kind']): LogUnavailable =>
    new LogUnavailable(kind, error instanceof Error ? error.message : String(error), { cause: error })
  if (isProblem(error, 'badRequest')) return as('notStarted')
  if (isProblem(error, 'notFound')) return as('gone')
  if (isProblem(error, 'internal')) return as(await whyInternal(client, request))
  if (isProblem(error, 'tooManyRequests', 'unavailable', 'timeout', 'unreachable')) return as('away')
  return error
}

/** An API server that knows of the pod is well itself: then it is the node. */
async function whyInternal(
  client: Client,
  { namespace, pod: name, uid }: ContainerLogRequest,
): Promise<LogUnavailable['kind']> {
  try {
    const { metadata } = await client.get(
      PODS,
      { namespace, name },
      { metadataOnly: true, priority: 'housekeeping', deadlineMs: DEADLINE_MS },
    )
    return metadata.uid === uid ? 'unreachable' : 'gone'
  } catch (error) {
    return isProblem(error, 'notFound') ? 'gone' : 'away'
  }
}
