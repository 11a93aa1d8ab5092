import type { EnvSource } from '../core/dag/dag.ts'
import type { Outcome, RunEvent } from '../core/run/events.ts'
import { type AttemptInputs, attemptInputs } from '../core/run/inputs.ts'
import type { ReasonCode } from '../core/run/reasons.ts'
import { type RunState, type TaskState, lastAttempt, taskAt, taskByKey } from '../core/run/state.ts'
import { childRunId } from '../core/run/child.ts'
import type { AttemptRef, AttemptSpec } from '../ports/executor.ts'
import { StoreError } from '../ports/store.ts'
import { failure, intendedOf, refOf } from './attempt.ts'
import { Children } from './children.ts'
import type { EffectsHost } from './effects-host.ts'
import { podSettings } from './pod-settings.ts'

/**
 * Makes durable intent true: starts, stops and forgets attempts, after the commit that says so. Nothing here is
 * remembered for safety; `again` derives all of it from a state, and every step may be done twice.
 */
export class Effects {
  /** What attempts of `dag` tasks come to. */
  readonly children: Children
  readonly #host: EffectsHost

  constructor(host: EffectsHost) {
    this.#host = host
    this.children = new Children(host)
  }

  after(state: RunState, events: readonly RunEvent[], graceMs: number): void {
    for (const event of events) {
      switch (event.type) {
        case 'attemptStarted':
          this.#start(state, taskByKey(state, event.task))
          break
        case 'attemptPending':
          if (event.handle !== undefined) this.#recorded(state, taskByKey(state, event.task), event.attempt)
          break
        case 'attemptStopping':
          this.#stop(state, taskByKey(state, event.task), graceMs)
          break
        case 'attemptEnded':
          this.#release(state, taskByKey(state, event.task), event.attempt)
          break
        case 'runSettled':
          // What cannot be read now is found by the next sweep.
          this.children
            .moved(state.created.run)
            .catch((error: unknown) => this.#host.trouble(error, state.created.run))
          break
        default:
      }
    }
  }

  /** Wanted minus present, for a state that was read from the store. */
  again(state: RunState, graceMs: number): void {
    for (const index of state.work.live) {
      const task = taskAt(state, index)
      const attempt = lastAttempt(task)
      if (attempt === undefined) continue
      const work = this.#ensure(state, task, attempt.phase === 'stopping' ? graceMs : null)
      work.catch((error: unknown) => this.#tryLater(state.created.run, error))
    }
  }

  stopAgain(state: RunState, graceMs: number): void {
    for (const index of state.work.live) {
      const task = taskAt(state, index)
      if (lastAttempt(task)?.phase === 'stopping') this.#stop(state, task, graceMs)
    }
  }

  /**
   * Removes what a run leaves behind whose tasks have all settled. Trouble with it does not keep the run from
   * ending.
   */
  async tidy(state: RunState): Promise<void> {
    const { run } = state.created
    const { executor, notices } = this.#host.parts
    try {
      await executor.endRun(run, { removeWorkspace: state.dag.workspace !== null })
    } catch (error) {
      notices.trouble?.('CLEAN_UP_FAILED', `something of the run stays behind: ${String(error)}`, run)
    }
  }

  async #ensure(state: RunState, task: TaskState, stopGraceMs: number | null): Promise<void> {
    const { executor } = this.#host.parts
    if (task.task.work.kind === 'container') {
      const there = await executor.adopt(intendedOf(state, task))
      // An attempt that is to end and was never started must never be.
      if (stopGraceMs !== null) executor.stop(intendedOf(state, task), stopGraceMs)
      else if (!there) this.#start(state, task)
      return
    }
    if (stopGraceMs !== null) this.#stop(state, task, stopGraceMs)
    else this.#start(state, task)
  }

  /** What the executor made is durable, so that it may start. */
  #recorded(state: RunState, task: TaskState, number: number): void {
    const attempt = lastAttempt(task)
    // What is to end by now never starts.
    if (attempt?.number !== number || attempt.phase !== 'starting') return
    this.#host.parts.executor
      .adopt(intendedOf(state, task))
      .catch((error: unknown) => this.#tryLater(state.created.run, error))
  }

  #start(state: RunState, task: TaskState): void {
    const ref = refOf(state, task)
    const work =
      task.task.work.kind === 'dag'
        ? this.children.start(state, task, ref)
        : this.#startContainer(state, task, ref)
    work.catch((error: unknown) => {
      // The store's trouble is not the attempt's: it is started when the store can take it.
      if (error instanceof StoreError) return this.#tryLater(ref.run, error)
      const message = error instanceof Error ? error.message : String(error)
      this.#ended(ref, failure('startError', 'START_ERROR', message))
    })
  }

  #tryLater(run: string, error: unknown): void {
    this.#host.trouble(error, run)
    this.#host.later(run)
  }

  async #startContainer(state: RunState, task: TaskState, ref: AttemptRef): Promise<void> {
    const { executor, language } = this.#host.parts
    const inputs = attemptInputs(state, task, language)
    if (!inputs.ok) return this.#ended(ref, failure('configError', 'EXPRESSION_ERROR', inputs.message))
    const env = await this.#resolve(state, inputs.value)
    if (!env.ok) return this.#ended(ref, failure('configError', env.reason, env.message))
    const { created, dag } = state
    const spec: AttemptSpec = {
      ...intendedOf(state, task),
      dag: created.dag,
      runName: created.name,
      work: inputs.value.work,
      env: env.env,
      secretNames: env.secretNames,
      references: env.references,
      outputs: task.task.outputs,
      workspace: dag.workspace !== null,
      workdir: created.workdir,
      pod: podSettings(dag),
    }
    executor.start(spec)
  }

  async #resolve(state: RunState, inputs: AttemptInputs): Promise<Resolved> {
    const env: { name: string; value: string }[] = []
    const secretNames: string[] = []
    const { byReference = false } = this.#host.parts.executor
    if (byReference) return byReferenceOf(inputs.env)
    for (const { name, source } of inputs.env) {
      const value = await this.#valueOf(state.created.namespace, source)
      if (value === null) {
        if (source.kind === 'pod' || source.kind === 'text' || source.optional) continue
        return { ok: false, ...missing(source, name) }
      }
      env.push({ name, value })
      if (source.kind === 'secret') secretNames.push(name)
    }
    return { ok: true, env, secretNames, references: [] }
  }

  async #valueOf(namespace: string, source: EnvSource): Promise<string | null> {
    const { values } = this.#host.parts
    switch (source.kind) {
      case 'text':
        return source.value
      case 'secret':
        return await values.secret(namespace, source.secret)
      case 'configMap':
        return await values.configMap(namespace, source.configMap)
      case 'pod':
        return null
    }
  }

  #stop(state: RunState, task: TaskState, graceMs: number): void {
    if (task.task.work.kind === 'container')
      return this.#host.parts.executor.stop(intendedOf(state, task), graceMs)
    const ref = refOf(state, task)
    const child = childRunId(ref.run, ref.task, ref.attempt)
    const skipFinally = state.stop?.skipFinally ?? false
    this.children
      .stop(child, ref, skipFinally, graceMs)
      .catch((error: unknown) => this.#tryLater(ref.run, error))
  }

  #release(state: RunState, task: TaskState, attempt: number): void {
    if (task.task.work.kind !== 'container') return
    this.#host.parts.executor.release({ run: state.created.run, task: task.key, attempt })
  }

  #ended(ref: AttemptRef, outcome: Outcome): void {
    this.#host.observe({ kind: 'ended', ref, at: this.#host.now(), outcome })
  }
}

type Resolved =
  | ({ readonly ok: true } & Pick<AttemptSpec, 'env' | 'secretNames' | 'references'>)
  | { readonly ok: false; readonly reason: ReasonCode; readonly message: string }

/** The last one of a name wins, whatever it is. */
function byReferenceOf(inputs: AttemptInputs['env']): Resolved {
  const last = [...new Map(inputs.map(({ name, source }) => [name, source]))]
  return {
    ok: true,
    env: last.flatMap(([name, source]) => (source.kind === 'text' ? [{ name, value: source.value }] : [])),
    secretNames: [],
    references: last.flatMap(([name, source]) => (source.kind === 'text' ? [] : [{ name, source }])),
  }
}

function missing(
  source: Extract<EnvSource, { kind: 'secret' | 'configMap' }>,
  name: string,
): { readonly reason: ReasonCode; readonly message: string } {
  if (source.kind === 'secret') {
    const { secret } = source
    return {
      reason: 'SECRET_MISSING',
      message: `${name}: there is no Secret ${secret.name} with a key ${secret.key}`,
    }
  }
  const { configMap } = source
  return {
    reason: 'CONFIG_MISSING',
    message: `${name}: there is no ConfigMap ${configMap.name} with a key ${configMap.key}`,
  }
}
