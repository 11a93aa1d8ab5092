import * as z from 'zod'
import type { RunRequest } from '../../core/run/requests.ts'
import { livingEngines } from '../../engine/living.ts'
import { theRun } from '../access.ts'
import { runAnswerOf } from '../messages.ts'
import type { ServerParts } from '../parts.ts'
import type { Principal } from '../../ports/authenticator.ts'
import { notThere, refusedFor } from '../problem.ts'
import { type AnyRoute, type Answer, ok, route } from '../route.ts'
import { givenParameters, runAnswer, startedRun } from '../schemas/run.ts'
import { runParams, taskParams } from '../schemas/values.ts'
import { keyOf, parameterValues, startedAnswer } from '../started.ts'
import { given } from '../given.ts'

const RUN = '/api/v1/runs/{run}'
const asked = { 200: { description: 'The run, once what was asked is recorded.', schema: runAnswer } }
const started = {
  200: { description: 'The run that this key made before.', schema: startedRun },
  201: { description: 'A new run has begun.', schema: startedRun, headers: { location: 'Where it is.' } },
}
const KEY = { 'idempotency-key': 'The same key gives the same run, however often it is sent.' }

const cancel = route({
  id: 'cancelRun',
  method: 'POST',
  path: `${RUN}/cancel`,
  summary: 'Ends a run: its tasks are stopped, the tasks under finally still run',
  access: theRun('edit'),
  params: runParams,
  body: {
    kind: 'json',
    optional: true,
    schema: z.strictObject({
      skipFinally: z.boolean().default(false).describe('Do not run the tasks under finally either.'),
    }),
  },
  responses: asked,
  handle: async ({ object: run, body, principal, parts }) =>
    await request(
      parts,
      run.id,
      { kind: 'cancel', by: principal.name, skipFinally: body.skipFinally },
      principal,
    ),
})

const pause = route({
  id: 'pauseRun',
  method: 'POST',
  path: `${RUN}/pause`,
  summary: 'Starts nothing new in a run; what runs goes on',
  access: theRun('edit'),
  params: runParams,
  responses: asked,
  handle: async ({ object: run, principal, parts }) =>
    await request(parts, run.id, { kind: 'pause', by: principal.name }, principal),
})

const resume = route({
  id: 'resumeRun',
  method: 'POST',
  path: `${RUN}/resume`,
  summary: 'Lets a paused run go on',
  access: theRun('edit'),
  params: runParams,
  responses: asked,
  handle: async ({ object: run, principal, parts }) =>
    await request(parts, run.id, { kind: 'resume', by: principal.name }, principal),
})

const answer = route({
  id: 'answerApproval',
  method: 'POST',
  path: `${RUN}/tasks/{task}/answer`,
  summary: 'Answers an approval that waits, with the values of its form',
  access: theRun('edit'),
  params: taskParams,
  body: {
    kind: 'json',
    schema: z.strictObject({
      approved: z.boolean(),
      message: z.string().max(2_000).nullable().default(null),
      values: z.record(z.string().regex(/^[A-Za-z][\w-]{0,252}$/), z.string().max(4_096)).default({}),
    }),
  },
  responses: asked,
  handle: async ({ object: run, params, body, principal, parts }) => {
    const { approved, message, values } = body
    const by = principal.name
    const asks = { kind: 'answer', by, task: params.task, approved, message, values } as const
    return await request(parts, run.id, asks, principal)
  },
})

const retry = route({
  id: 'retryRun',
  method: 'POST',
  path: `${RUN}/retry`,
  summary: 'A new run that reuses what succeeded and runs the rest again',
  access: theRun('edit'),
  params: runParams,
  body: {
    kind: 'json',
    optional: true,
    schema: z.strictObject({
      parameters: givenParameters.default([]).describe('With other values everything runs again.'),
    }),
  },
  headers: KEY,
  responses: started,
  async handle({ object: run, body, principal, header, parts }) {
    const key = keyOf(header('idempotency-key'))
    const parameters = parameterValues(body.parameters)
    const order = { run: run.id, from: null, parameters, latest: false, by: principal, ...given({ key }) }
    return await startedAnswer(parts, await parts.control.continueRun(order))
  },
})

const fork = route({
  id: 'forkRun',
  method: 'POST',
  path: `${RUN}/fork`,
  summary: 'A new run that starts from some tasks of a run that has ended',
  access: theRun('edit'),
  params: runParams,
  body: {
    kind: 'json',
    optional: true,
    schema: z.strictObject({
      from: z
        .array(z.string().min(1).max(200))
        .max(1_000)
        .default([])
        .describe('These tasks and all that come after them run; empty: everything.'),
      parameters: givenParameters.default([]),
      latest: z.boolean().default(false).describe('The DAG in force instead of the version of that run.'),
    }),
  },
  headers: KEY,
  responses: started,
  async handle({ object: run, body, principal, header, parts }) {
    const key = keyOf(header('idempotency-key'))
    const { from, latest } = body
    const parameters = parameterValues(body.parameters)
    const order = { run: run.id, from, parameters, latest, by: principal, ...given({ key }) }
    return await startedAnswer(parts, await parts.control.continueRun(order))
  },
})

export const RUN_ACTIONS: readonly AnyRoute[] = [cancel, pause, resume, answer, retry, fork]

async function request(parts: ServerParts, id: string, wanted: RunRequest, by: Principal): Promise<Answer> {
  const problem = await parts.control.request(id, wanted, by)
  if (problem !== null) throw refusedFor([problem])
  const { store, probe, clock } = parts
  const run = await store.run(id)
  if (run === null) throw notThere('run', id)
  return ok(runAnswerOf(run, await livingEngines(store, probe), clock.now()))
}
