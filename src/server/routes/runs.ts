import * as z from 'zod'
import { nearest } from '../../core/nearest.ts'
import { explainRun, explainTask } from '../../core/run/explain.ts'
import { explanationData, moment, parameterData, taskData } from '../../core/run/run-data.ts'
import { type RunState, type TaskState, taskByKey } from '../../core/run/state.ts'
import { explainContext } from '../../engine/explain-context.ts'
import { livingEngines } from '../../engine/living.ts'
import { loadRun } from '../../engine/load.ts'
import type { StoredRun } from '../../ports/store.ts'
import { dagInBody, theRun, within } from '../access.ts'
import { runAnswerOf } from '../messages.ts'
import type { ServerParts } from '../parts.ts'
import { RequestProblem, notThere } from '../problem.ts'
import { type AnyRoute, ok, route } from '../route.ts'
import {
  PHASES,
  TASK_STATES,
  attemptList,
  eventPage,
  explanation,
  givenParameters,
  runDetail,
  runPage,
  startedRun,
  taskAnswer,
  taskPage,
} from '../schemas/run.ts'
import * as values from '../schemas/values.ts'
import { keyOf, parameterValues, startedAnswer } from '../started.ts'
import { given } from '../given.ts'

const RUN = '/api/v1/runs/{run}'

const listRuns = route({
  id: 'listRuns',
  method: 'GET',
  path: '/api/v1/runs',
  summary: 'Runs, newest first',
  access: { kind: 'visible', permission: 'view' },
  query: z.strictObject({
    namespace: values.namespace,
    dag: z.string().min(1).max(253).optional(),
    name: z.string().min(1).max(253).optional().describe('Only runs whose name starts with it.'),
    phase: values.listOf(z.enum(PHASES)).optional().describe('Several mean any of them.'),
    label: values.labels.optional().describe('NAME=value; several must all hold.'),
    createdFrom: values.moment.optional(),
    createdBefore: values.moment.optional(),
    parent: z.string().max(200).optional().describe('Tasks of this run; `none`: only runs that are no task.'),
    limit: values.limit,
    after: values.after,
  }),
  responses: { 200: { description: 'One page.', schema: runPage } },
  async handle({ query: { name, phase, label, parent, ...rest }, visible, parts }) {
    const { store, probe, clock } = parts
    const page = await store.runs({
      ...given(rest),
      ...given({ namePrefix: name, phases: phase, labels: label }),
      ...(parent === undefined ? {} : { parentRun: parent === 'none' ? null : parent }),
      ...within(visible),
    })
    const living = page.items.some(({ endedAt }) => endedAt === null)
      ? await livingEngines(store, probe)
      : new Set<string>()
    const now = clock.now()
    return ok({ items: page.items.map(run => runAnswerOf(run, living, now)), next: page.next })
  },
})

const createRun = route({
  id: 'createRun',
  method: 'POST',
  path: '/api/v1/runs',
  summary: 'Starts a run of a DAG',
  access: dagInBody('edit'),
  body: {
    kind: 'json',
    schema: z.strictObject({
      namespace: z.string().min(1).max(63).default('default'),
      dag: z.string().min(1).max(253),
      name: z
        .string()
        .regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, 'use lower-case letters, digits and -')
        .optional(),
      parameters: givenParameters.default([]),
      labels: z
        .record(z.string().regex(/^(?:[A-Za-z0-9./_-]{1,317})$/), z.string().max(63))
        .default({})
        .refine(labels => Object.keys(labels).length <= 50, 'give at most 50'),
    }),
  },
  headers: { 'idempotency-key': 'The same key gives the same run, however often it is sent.' },
  responses: {
    200: { description: 'The run that this key made before.', schema: startedRun },
    201: { description: 'The run has begun.', schema: startedRun, headers: { location: 'Where it is.' } },
  },
  async handle({ body, principal, header, parts }) {
    const key = keyOf(header('idempotency-key'))
    const { namespace, dag, name, parameters, labels } = body
    const order = { namespace, dag, labels, parameters: parameterValues(parameters), by: principal }
    return await startedAnswer(parts, await parts.control.createRun({ ...order, ...given({ name, key }) }))
  },
})

const getRun = route({
  id: 'getRun',
  method: 'GET',
  path: RUN,
  summary: 'One run, with its parameters',
  access: theRun('view'),
  params: values.runParams,
  responses: { 200: { description: 'The run.', schema: runDetail } },
  async handle({ object: run, parts }) {
    const { store, probe, clock } = parts
    const [first] = await store.events(run.id, 0, 1)
    const parameters = first?.type === 'runCreated' ? first.parameters : []
    const version = (await store.dagByHash(run.dagHash))?.version ?? null
    const answer = runAnswerOf(run, await livingEngines(store, probe), clock.now())
    return ok({ ...answer, dagVersion: version, parameters: parameterData(parameters) })
  },
})

const listTasks = route({
  id: 'listTasks',
  method: 'GET',
  path: `${RUN}/tasks`,
  summary: 'Tasks of a run in the order of its plan',
  access: theRun('view'),
  params: values.runParams,
  query: z.strictObject({
    state: values.listOf(z.enum(TASK_STATES)).optional().describe('Several mean any of them.'),
    limit: values.longLimit,
    after: values.after,
  }),
  responses: { 200: { description: 'One page.', schema: taskPage } },
  async handle({ object: run, query: { state, ...rest }, parts }) {
    const page = await parts.store.tasks({ run: run.id, ...given(rest), ...given({ states: state }) })
    const items = page.items.map(({ run: _, startedAt, endedAt, ...task }) => ({
      ...task,
      startedAt: moment(startedAt),
      endedAt: moment(endedAt),
    }))
    return ok({ items, next: page.next })
  },
})

const getTask = route({
  id: 'getTask',
  method: 'GET',
  path: `${RUN}/tasks/{task}`,
  summary: 'One task: what it waits for, what it gave, and each attempt',
  access: theRun('view'),
  params: values.taskParams,
  responses: { 200: { description: 'The task.', schema: taskAnswer } },
  async handle({ object: run, params, parts }) {
    const state = await replayed(parts, run)
    return ok(taskAnswerOf(state, taskNamed(state, params.task)))
  },
})

const listAttempts = route({
  id: 'listAttempts',
  method: 'GET',
  path: `${RUN}/tasks/{task}/attempts`,
  summary: 'Attempts of a task',
  access: theRun('view'),
  params: values.taskParams,
  responses: { 200: { description: 'All of them, the first one first.', schema: attemptList } },
  async handle({ object: run, params, parts }) {
    const state = await replayed(parts, run)
    return ok({ items: taskAnswerOf(state, taskNamed(state, params.task)).attempts })
  },
})

const EVENTS_DEFAULT = 500

const listEvents = route({
  id: 'listEvents',
  method: 'GET',
  path: `${RUN}/events`,
  summary: 'The log of a run: facts in the order they became true',
  access: theRun('view'),
  params: values.runParams,
  query: z.strictObject({
    after: values.seq.optional().describe('How many of its events are known already.'),
    limit: values.longLimit,
  }),
  responses: { 200: { description: 'One page.', schema: eventPage } },
  async handle({ object: run, query, parts }) {
    const after = query.after ?? 0
    const limit = query.limit ?? EVENTS_DEFAULT
    const items = await parts.store.events(run.id, after, limit)
    return ok({ items, next: items.length < limit ? null : after + items.length })
  },
})

const explain = route({
  id: 'explainRun',
  method: 'GET',
  path: `${RUN}/explain`,
  summary: 'Why a run or a task of it waits, or ended as it did, and what to do next',
  access: theRun('view'),
  params: values.runParams,
  query: z.strictObject({ task: z.string().min(1).max(200).optional() }),
  responses: { 200: { description: 'The explanation.', schema: explanation } },
  async handle({ object: run, query, parts }) {
    const { store, probe, clock } = parts
    const state = await replayed(parts, run)
    const about = query.task === undefined ? null : taskNamed(state, query.task)
    const context = await explainContext(store, probe, run, state)
    const now = clock.now()
    const main =
      about === null ? explainRun(state, now, context) : explainTask(state, about.key, now, context)
    return ok({
      run: run.id,
      name: run.name,
      task: about?.key ?? null,
      state: about?.state ?? state.phase,
      ...explanationData(main),
      root: main.root.map(({ task }) => ({
        task,
        ...explanationData(explainTask(state, task, now, context)),
      })),
    })
  },
})

export const RUN_ROUTES: readonly AnyRoute[] = [
  listRuns,
  createRun,
  getRun,
  listTasks,
  getTask,
  listAttempts,
  listEvents,
  explain,
]

/** The whole run from its log: it costs what the log is long, so few do it at a time. */
export async function replayed({ store, replays }: ServerParts, run: StoredRun): Promise<RunState> {
  const state = await replays.take(() => loadRun(store, run.id))
  if (state === null) throw notThere('run', run.id)
  return state
}

/** @throws {RequestProblem} `UNKNOWN_TASK` */
export function taskNamed(state: RunState, key: string): TaskState {
  if (state.byKey.has(key)) return taskByKey(state, key)
  const near = nearest(key, state.byKey.keys())
  const fix = near === null ? 'see the tasks of the run' : `did you mean ${near}?`
  throw new RequestProblem('UNKNOWN_TASK', `run ${state.created.name} has no task ${key.slice(0, 200)}`, fix)
}

function taskAnswerOf(state: RunState, task: TaskState) {
  return taskData(state, task, (key, attempt) =>
    task.task.work.kind === 'container'
      ? `/api/v1/runs/${state.created.run}/tasks/${encodeURIComponent(key)}/log?attempt=${attempt}`
      : null,
  )
}
