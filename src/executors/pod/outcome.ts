import type { Outcome } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import type { ApiProblem } from '../../kubernetes/problem.ts'
import { OUTPUT_BYTES_MAX, parseOutputs } from '../outputs.ts'
import type { Pod } from './pod.ts'

export type Why = { readonly reason: ReasonCode; readonly message: string }
export type Look =
  | { readonly kind: 'pending'; readonly why: Why | null }
  | { readonly kind: 'running'; readonly at: number }
  | { readonly kind: 'ended'; readonly at: number; readonly outcome: Outcome }

const ended = (kind: Outcome['kind'], reason: ReasonCode, exitCode: number | null, message: string | null): Outcome => ({ kind, reason, exitCode, signal: null, message, outputs: {} })
export const lostOutcome = (message: string): Outcome => ended('lost', 'LOST', null, message)
export const startError = (message: string): Outcome => ended('startError', 'START_ERROR', null, message)
export const neverStarted: Outcome = ended('cancelled', 'CANCELLED', null, 'was stopped before it was started')
export const deletedOutcome = (_pod: Pod, stopAsked: boolean): Outcome => (stopAsked ? neverStarted : lostOutcome('its pod was deleted by somebody'))
export function refusedCreate(problem: ApiProblem): { kind: 'final'; outcome: Outcome } | { kind: 'wait'; why: Why } | null {
  if (problem.kind === 'forbidden' && /exceeded quota/u.test(problem.message)) return { kind: 'wait', why: { reason: 'STARTING', message: problem.message } }
  if (['invalid', 'badRequest', 'forbidden', 'tooLarge', 'notFound'].includes(problem.kind)) return { kind: 'final', outcome: ended('configError', 'CONFIG_ERROR', null, problem.message) }
  return null
}
export function lookAt(pod: Pod, { stopAsked, now }: { readonly stopAsked: boolean; readonly now: number }): Look {
  const main = pod.status?.containerStatuses?.find(({ name }) => name === 'main')
  const terminated = main?.state?.terminated
  const declared = JSON.parse(pod.metadata.annotations?.['kontroler.greedykomodo/outputs'] ?? '[]') as string[]
  if (terminated !== undefined) {
    const at = terminated.finishedAt === undefined ? now : Date.parse(terminated.finishedAt)
    return { kind: 'ended', at, outcome: outcomeOf(terminated.exitCode, terminated.reason ?? '', terminated.message ?? '', declared, stopAsked) }
  }
  if (main?.state?.running !== undefined) return { kind: 'running', at: Date.parse(main.state.running.startedAt ?? '') || now }
  if (pod.status?.phase === 'Failed') return { kind: 'ended', at: now, outcome: stopAsked ? neverStarted : ended('disrupted', 'DISRUPTED', null, pod.status.message ?? pod.status.reason ?? '') }
  const waiting = main?.state?.waiting
  return { kind: 'pending', why: waiting?.message === undefined ? null : { reason: 'STARTING', message: waiting.message } }
}
function outcomeOf(code: number, reason: string, message: string, declared: readonly string[], stopAsked: boolean): Outcome {
  if (code === 0) {
    if (Buffer.byteLength(message) > OUTPUT_BYTES_MAX) return ended('configError', 'OUTPUT_TOO_LARGE', 0, `wrote more than ${OUTPUT_BYTES_MAX} bytes to $KONTROLER_OUTPUT`)
    const read = parseOutputs(Buffer.from(message), declared)
    return read.ok ? { ...ended('succeeded', 'SUCCEEDED', 0, null), outputs: read.values } : ended('configError', read.reason, 0, read.message)
  }
  if (reason === 'OOMKilled') return ended('oomKilled', 'OOM_KILLED', code, 'used more memory than its limit')
  if ((reason === 'StartError' || reason === 'ContainerCannotRun') && /no such file|not found/u.test(message)) return ended('configError', 'COMMAND_NOT_FOUND', null, message)
  if (stopAsked && (code === 137 || code === 143)) return { ...ended('exitCode', 'KILLED_BY_SIGNAL', code, `was ended by ${code === 137 ? 'SIGKILL' : 'SIGTERM'}`), signal: code === 137 ? 'SIGKILL' : 'SIGTERM' }
  return ended('exitCode', 'EXIT_CODE', code, `exited with code ${code}`)
}
