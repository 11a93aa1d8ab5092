import { decide } from '../core/run/decide.ts'
import type { RunEvent } from '../core/run/events.ts'
import { evolve } from '../core/run/evolve.ts'
import type { ExpressionLanguage } from '../core/run/inputs.ts'
import { observeEnded, observePending, observeRunning } from '../core/run/observe.ts'
import { answer } from '../core/run/requests.ts'
import type { Observation } from '../ports/executor.ts'
import type { Driven } from './driven.ts'

/**
 * Everything that follows from what came in for a run, until nothing more does. Facts go to `batch`.
 *
 * @returns  A bug that showed, if one did: it stops the run it shows in, and nothing else.
 */
export function step(
  driven: Driven,
  now: number,
  language: ExpressionLanguage,
): { readonly error: unknown } | null {
  try {
    takeSteps(driven, now, language)
    return null
  } catch (error) {
    return { error }
  }
}

function takeSteps(driven: Driven, now: number, language: ExpressionLanguage): void {
  driven.atEnd = false
  for (const incoming of driven.inbox.splice(0)) {
    if (incoming.kind === 'observation') {
      add(driven, observed(driven, incoming.observation, now))
      continue
    }
    const answered = answer(driven.state, incoming.request, now)
    if (answered.ok) {
      add(driven, answered.events)
      driven.unanswered.push(incoming)
    } else incoming.answered(answered.problem)
  }
  for (;;) {
    const events = decide(driven.state, now, language)
    if (events.length === 0) return
    // Nothing else is left to be decided, and asking again gives the same.
    driven.atEnd = events[0]?.type === 'runSettled'
    if (driven.atEnd && !driven.tidied) return
    add(driven, events)
  }
}

/** What was asked for is durable now, or needed no fact. */
export function answerAll(driven: Driven): void {
  for (const request of driven.unanswered.splice(0)) request.answered(null)
}

function observed(driven: Driven, observation: Observation, now: number): readonly RunEvent[] {
  const { task, attempt } = observation.ref
  if (observation.kind === 'running')
    return observeRunning(driven.state, task, attempt, now, observation.handle)
  if (observation.kind === 'pending') return observePending(driven.state, task, attempt, now, observation)
  return observeEnded(driven.state, task, attempt, now, observation.outcome, observation.at)
}

function add(driven: Driven, events: readonly RunEvent[]): void {
  for (const event of events) evolve(driven.state, event)
  driven.batch.push(...events)
}
