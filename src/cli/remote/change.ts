import { isTerminal } from '../../core/run/state.ts'
import type { AnswerOptions, CancelOptions } from '../commands/change.ts'
import { forEachNamed } from '../each.ts'
import { EXIT, exitCodeOf } from '../exit.ts'
import type { ExecutionOptions } from '../execution.ts'
import type { Records, RunRecord } from '../records.ts'
import {
  answeredText,
  endText,
  endedText,
  goesOnText,
  onlyWaiting,
  pausedText,
  undrivenText,
} from '../said.ts'
import type { Environment } from '../settings.ts'
import { assignments } from '../values.ts'
import { pause as waitFor, sayBeside } from '../watched.ts'
import { refuseHere } from './refuse-here.ts'
import { remoteRecords } from './records.ts'
import { recordOf } from './run-record.ts'
import { type RemoteServer, openServerOf } from './server.ts'

const LOOK_MS = 250
/** Of a refusal that is about how the run stands, as without a server. */
const CHANGING = { repeat: 'untouched', exitCode: EXIT.failed } as const

/** `kontroler cancel RUN…`: asks each run to end and waits until it has. */
export async function cancel(
  environment: Environment,
  texts: readonly string[],
  options: CancelOptions,
): Promise<number> {
  refuseHere(options.grace === undefined ? {} : { grace: options.grace })
  return await forEachRun(environment, texts, async (server, { id, name }) => {
    const body = { skipFinally: options.now === true }
    const params = { run: id }
    let now = await server.ask(
      async () => recordOf(await server.client.call('cancelRun', { params, body })),
      CHANGING,
    )
    server.waitFor(sayBeside)
    while (!isTerminal(now.phase)) {
      await waitFor(LOOK_MS)
      now = await server.ask(async () => recordOf(await server.client.call('getRun', { params })))
    }
    process.stdout.write(endText({ name, phase: now.phase }))
  })
}

/** `kontroler pause RUN…`: nothing new starts; what runs goes on. */
export async function pause(environment: Environment, texts: readonly string[]): Promise<number> {
  return await forEachRun(environment, texts, async (server, { id, name }) => {
    await server.ask(() => server.client.call('pauseRun', { params: { run: id } }), CHANGING)
    process.stdout.write(pausedText(name))
  })
}

/** `kontroler resume RUN`: ends a pause; the server drives the run. */
export async function resume(
  environment: Environment,
  text: string,
  options: ExecutionOptions,
): Promise<number> {
  refuseHere(options)
  await using server = openServerOf(environment)
  const run = await remoteRecords(server).find(text)
  if (isTerminal(run.phase)) {
    process.stdout.write(endedText(run.name, run.phase))
    return exitCodeOf(run)
  }
  await server.ask(() => server.client.call('resumeRun', { params: { run: run.id } }), CHANGING)
  process.stdout.write(goesOnText(run.name))
  return EXIT.succeeded
}

/** `kontroler approve RUN [TASK]`: answers an approval, with the values of its form. */
export async function approve(
  environment: Environment,
  text: string,
  task: string | undefined,
  options: AnswerOptions,
): Promise<number> {
  await using server = openServerOf(environment)
  const records: Records = remoteRecords(server)
  const { id, name } = await records.find(text)
  const chosen = task ?? onlyWaiting(await records.load(id), name)
  const approved = options.reject !== true
  const values = Object.fromEntries(assignments('-p', options.parameter ?? []))
  const body = { approved, message: options.message ?? null, values }
  const params = { run: id, task: chosen }
  const now = await server.ask(
    async () => recordOf(await server.client.call('answerApproval', { params, body })),
    CHANGING,
  )
  process.stdout.write(answeredText(name, chosen, approved))
  if (now.interrupted) process.stdout.write(undrivenText(name))
  return EXIT.succeeded
}

async function forEachRun(
  environment: Environment,
  texts: readonly string[],
  work: (server: RemoteServer, run: RunRecord) => Promise<void>,
): Promise<number> {
  await using server = openServerOf(environment)
  const records = remoteRecords(server)
  const { tellRefused } = await forEachNamed(texts, async text => work(server, await records.find(text)))
  tellRefused()
  return EXIT.succeeded
}
