import type { FastifyRequest } from 'fastify'
import type { Principal } from '../ports/authenticator.ts'
import { NOBODY } from './asked.ts'
import type { Asked } from './ledger.ts'
import type { ServerParts } from './parts.ts'
import { RequestProblem, problemOf } from './problem.ts'
import { type AnyRoute, type Answer, type Noted, isAudited } from './route.ts'

export function askedOf(
  request: FastifyRequest,
  action: string | null,
  principal: Principal | null = null,
): Asked {
  const path = request.url.split('?')[0] ?? ''
  return { action, path, address: request.ip, principal: principal === NOBODY ? null : principal }
}

/**
 * Does what a route does, and writes down how it went before anybody is told. What was done stays done when that
 * fails, and then the answer says so.
 *
 * @throws {RequestProblem} `NOT_AUDITED`, and whatever the work throws.
 */
export async function written(
  parts: ServerParts,
  route: AnyRoute,
  asked: Asked,
  work: (note: (more: Noted) => void) => Promise<Answer>,
): Promise<Answer> {
  const { ledger } = parts
  if (ledger === null) return await work(() => undefined)
  let noted: Noted = {}
  const note = (more: Noted): void => {
    noted = { ...noted, ...more }
  }
  const answer = await work(note).catch(async (error: unknown): Promise<never> => {
    const problem = problemOf(error)
    const about = problem.denied?.namespace ?? null
    const kept = about === null ? noted : { ...noted, namespace: about }
    // Anybody may knock as often as they like.
    if (problem.denied !== null || route.access.kind === 'entrance')
      await quietly(parts, ledger.denied(asked, problem, kept))
    else if (isAudited(route)) await quietly(parts, ledger.refused(asked, problem, kept))
    throw error
  })
  if (!isAudited(route)) return answer
  await ledger.done(asked, { ...outcomeOf(answer), ...noted }).catch((error: unknown) => {
    parts.trouble('audit', error)
    const message = 'it was done, but the audit log does not hold it'
    throw new RequestProblem('NOT_AUDITED', message, 'look at what is there before you try again')
  })
  // Streams of those who may not read any more end now, and not with their next heartbeat.
  if (route.needs === 'accounts') parts.live.recheck()
  return answer
}

/** Writes down what came to nothing before it began: what is denied, and a change of what is not there. */
export async function deny(
  parts: ServerParts,
  route: AnyRoute | null,
  asked: Asked,
  error: unknown,
): Promise<void> {
  const { ledger } = parts
  if (ledger === null) return
  const problem = problemOf(error)
  if (problem.denied !== null || route?.access.kind === 'entrance')
    await quietly(parts, ledger.denied(asked, problem))
  else if (asked.principal !== null && route !== null && isAudited(route))
    await quietly(parts, ledger.refused(asked, problem, {}))
}

/** A request that was refused stays refused, written down or not. */
async function quietly(parts: ServerParts, writing: Promise<void>): Promise<void> {
  await writing.catch((error: unknown) => parts.trouble('audit', error))
}

/** What was made, by its address, and what is in force now, by its tag. */
function outcomeOf({ status, headers }: Answer): Noted {
  const { location, etag } = headers ?? {}
  return {
    ...(status === 201 && typeof location === 'string' ? { object: location } : {}),
    ...(typeof etag === 'string' ? { after: etag.replaceAll('"', '') } : {}),
  }
}
