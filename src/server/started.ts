import type { ParameterValue } from '../core/dag/dag.ts'
import type { Checked, Problem } from '../core/problem.ts'
import { livingEngines } from '../engine/living.ts'
import type { StartedRun } from '../ports/control.ts'
import { toParameterValue } from '../spec/to-dag.ts'
import { SERVER_LIMITS } from './limits.ts'
import { runAnswerOf } from './messages.ts'
import type { ServerParts } from './parts.ts'
import { RequestProblem, notThere, refusedFor } from './problem.ts'
import type { Answer } from './route.ts'
import type { GivenParameters } from './schemas/run.ts'

/** A run that was started or had been, as the answer to whoever asked for it. */
export async function startedAnswer(parts: ServerParts, started: Checked<StartedRun>): Promise<Answer> {
  if (!started.ok) throw refusedFor(started.problems.map(inRequest))
  const { store, probe, clock } = parts
  const { run: id, created, reused } = started.value
  const run = await store.run(id)
  if (run === null) throw notThere('run', id)
  const body = { ...runAnswerOf(run, await livingEngines(store, probe), clock.now()), reused }
  return created
    ? { status: 201, headers: { location: `/api/v1/runs/${encodeURIComponent(id)}` }, body }
    : { status: 200, body }
}

/** @throws {RequestProblem} `INVALID_REQUEST` */
export function keyOf(header: string | null): string | undefined {
  if (header === null) return undefined
  if (/^[\x21-\x7e]+$/.test(header) && header.length <= SERVER_LIMITS.keyLengthMax) return header
  const message = 'the idempotency key cannot be used'
  const fix = `send at most ${SERVER_LIMITS.keyLengthMax} letters, digits and marks without spaces, such as a UUID`
  throw new RequestProblem('INVALID_REQUEST', message, fix)
}

export function parameterValues(given: GivenParameters): readonly ParameterValue[] {
  return given.map(parameter => toParameterValue(parameter))
}

/** Parameters stand in the body here, not on a command line. */
function inRequest(problem: Problem): Problem {
  if (problem.code !== 'PARAMETER_REQUIRED') return problem
  return { ...problem, path: ['parameters'], fix: 'give it under parameters' }
}
