import type { Parameter } from '../dag/dag.ts'
import { fitsType } from '../dag/value-type.ts'
import { meantOr } from '../nearest.ts'
import type { ProblemCode } from '../problem-codes.ts'
import type { Problem } from '../problem.ts'
import type { RunEvent } from './events.ts'
import { type RunState, isTerminal, taskAt } from './state.ts'

/** What a person may ask of a run. Each becomes facts, or one problem that says why not. */
export type RunRequest =
  | {
      readonly kind: 'cancel'
      readonly by: string
      readonly skipFinally: boolean
      readonly replaced?: boolean
    }
  | { readonly kind: 'pause'; readonly by: string }
  | { readonly kind: 'resume'; readonly by: string }
  /** The scheduler's: nothing is before this queued run any more. */
  | { readonly kind: 'begin' }
  | {
      readonly kind: 'answer'
      readonly by: string
      readonly task: string
      readonly approved: boolean
      readonly message: string | null
      readonly values: Readonly<Record<string, string>>
    }

export type Answered =
  | { readonly ok: true; readonly events: readonly RunEvent[] }
  | { readonly ok: false; readonly problem: Problem }

export function answer(state: RunState, request: RunRequest, now: number): Answered {
  if (isTerminal(state.phase)) {
    return refuse(
      'RUN_FINISHED',
      `run ${state.created.name} has ended already: ${state.phase}`,
      'nothing is left to do',
    )
  }
  switch (request.kind) {
    case 'cancel':
      return cancel(state, request, now)
    case 'pause':
      if (state.paused) return { ok: true, events: [] }
      return { ok: true, events: [{ type: 'runPaused', at: now, by: request.by }] }
    case 'resume':
      if (!state.paused) return { ok: true, events: [] }
      return { ok: true, events: [{ type: 'runResumed', at: now, by: request.by }] }
    case 'begin':
      // One that is told to stop has nothing to begin.
      if (state.phase !== 'queued' || state.stop !== null) return { ok: true, events: [] }
      return { ok: true, events: [{ type: 'runStarted', at: now }] }
    case 'answer':
      return approve(state, request, now)
  }
}

function cancel(state: RunState, request: Extract<RunRequest, { kind: 'cancel' }>, now: number): Answered {
  const asked = state.stop
  const already = asked !== null && asked.why !== 'failFast' && (asked.skipFinally || !request.skipFinally)
  if (already) return { ok: true, events: [] }
  const why = request.replaced === true ? 'replaced' : 'cancelled'
  const { by, skipFinally } = request
  return { ok: true, events: [{ type: 'stopRequested', at: now, why, by, skipFinally }] }
}

function approve(state: RunState, request: Extract<RunRequest, { kind: 'answer' }>, now: number): Answered {
  const index = state.byKey.get(request.task)
  const task = index === undefined ? undefined : taskAt(state, index)
  const work = task?.task.work
  if (task === undefined || work?.kind !== 'approval') {
    const waiting = state.tasks
      .filter(({ reason }) => reason === 'WAITING_FOR_APPROVAL')
      .map(({ key }) => key)
    const others =
      waiting.length > 0
        ? `name one that waits: ${waiting.slice(0, 5).join(', ')}`
        : 'no task waits for approval'
    const fix = meantOr(request.task, waiting, others)
    return refuse('NOT_AN_APPROVAL', `run ${state.created.name} has no approval ${request.task}`, fix)
  }
  if (task.state !== 'waiting') {
    return refuse(
      'NOT_WAITING',
      `approval ${task.key} is ${task.state}, not waiting`,
      'see kontroler get for its state',
    )
  }
  const values: Record<string, string> = {}
  if (request.approved) {
    const problem = fillForm(work.approval.form, request.values, values)
    if (problem !== null) return { ok: false, problem }
  }
  const { approved, by, message } = request
  return {
    ok: true,
    events: [{ type: 'approvalAnswered', at: now, task: task.key, approved, by, message, values }],
  }
}

/** Takes the given values into `filled`, defaults where nothing was given; the first thing wrong ends it. */
function fillForm(
  form: readonly Parameter[],
  given: Readonly<Record<string, string>>,
  filled: Record<string, string>,
): Problem | null {
  const unknown = Object.keys(given).find(name => !form.some(field => field.name === name))
  if (unknown !== undefined) {
    const names = form.map(({ name }) => name)
    const fix = meantOr(unknown, names, `its fields are: ${names.join(', ') || 'none'}`)
    return problem('UNKNOWN_FORM_FIELD', `the form has no field ${unknown}`, fix)
  }
  for (const field of form) {
    const value = given[field.name] ?? (field.default.kind === 'value' ? field.default.value : undefined)
    if (value === undefined) {
      if (!field.required) continue
      return problem('FORM_FIELD_MISSING', `the form needs ${field.name}`, `give it with -p ${field.name}=…`)
    }
    const wrong = valueProblem(field, value)
    if (wrong !== null) return wrong
    filled[field.name] = value
  }
  return null
}

/** Says what is wrong with a text as the value of a parameter or form field; null when it fits. */
export function valueProblem(field: Parameter, value: string): Problem | null {
  if (!fitsType(field.type, value)) {
    return problem(
      'PARAMETER_TYPE',
      `${field.name} is not ${article(field.type)}: ${JSON.stringify(value)}`,
      `give ${article(field.type)}`,
    )
  }
  if (
    field.enum !== null &&
    !field.enum.some(item => (typeof item === 'string' ? item : JSON.stringify(item)) === value)
  ) {
    const allowed = field.enum
      .map(item => (typeof item === 'string' ? item : JSON.stringify(item)))
      .join(', ')
    return problem(
      'PARAMETER_ENUM',
      `${field.name} cannot be ${JSON.stringify(value)}`,
      `use one of: ${allowed}`,
    )
  }
  return null
}

function article(type: Parameter['type']): string {
  switch (type) {
    case 'integer':
      return 'an integer'
    case 'json':
      return 'JSON'
    case 'boolean':
      return 'true or false'
    case 'number':
      return 'a number'
    case 'string':
      return 'a text'
  }
}

function refuse(code: ProblemCode, message: string, fix: string): Answered {
  return { ok: false, problem: problem(code, message, fix) }
}

function problem(code: ProblemCode, message: string, fix: string): Problem {
  return { code, severity: 'error', path: [], message, fix }
}
