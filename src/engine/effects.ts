import type { Dag, EnvSource } from '../core/dag/dag.ts'
import { LIMITS } from '../core/limits.ts'
import type { Problem } from '../core/problem.ts'
import { childOutcome, childRunId, childRunName, childTriggerKey } from '../core/run/child.ts'
import { createRun } from '../core/run/create.ts'
import type { Outcome, RunCreated, RunEvent } from '../core/run/events.ts'
import { type AttemptInputs, attemptInputs, childParameters } from '../core/run/inputs.ts'
import type { ReasonCode } from '../core/run/reasons.ts'
import type { RunRequest } from '../core/run/requests.ts'
import {
  type RunState,
  type TaskState,
  isTerminal,
  lastAttempt,
  taskAt,
  taskByKey,
} from '../core/run/state.ts'
import type { AttemptRef, AttemptSpec, Intended, Observation } from '../ports/executor.ts'
import { StoreError } from '../ports/store.ts'
import type { EngineParts } from './parts.ts'
import { podSettings } from './pod-settings.ts'

/** What effects need of the engine that owns them. */
export interface EffectsHost {
  readonly parts: EngineParts
  now(): number
  observe(observation: Observation): void
  trouble(error: unknown, run: string): void
  submit(dag: Dag, created: RunCreated): Promise<void>
  adopt(run: string, owner: string | null): Promise<boolean>
  request(run: string, request: RunRequest): Promise<Problem | null>
  hurry(run: string, graceMs: number): void
  stateOf(run: string): RunState | null
  /** Read this run from the store again, in a while: something could not be done for it now. */
  later(run: string): void
}

/**
 * Makes durable intent true: starts, stops and forgets attempts, after the commit that says so. Nothing here is
 * remembered for safety; `again` derives all of it from a state, and every step may be done twice.
 */
export class Effects {
  readonly #host: EffectsHost
  /** Runs that attempts of `dag` tasks wait for. */
  readonly #children = new Map<string, AttemptRef>()

  constructor(host: EffectsHost) {
    this.#host = host
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
          this.childMoved(state.created.run).catch((error: unknown) =>
            this.#host.trouble(error, state.created.run),
          )
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

  /** Another run changed: if an attempt waits for it, see whether it has ended. */
  async childMoved(run: string): Promise<void> {
    const waiting = this.#children.get(run)
    if (waiting === undefined) return
    const row = await this.#host.parts.store.run(run)
    if (row !== null && !isTerminal(row.phase)) return
    this.#children.delete(run)
    if (row !== null) return this.#ended(waiting, childOutcome(row))
    this.#ended(waiting, failure('lost', 'LOST', `run ${run} was removed`))
  }

  /** Sees to it that what is waited for is driven by somebody and that its end was noticed. */
  async lookAtChildren(): Promise<void> {
    for (const [child, ref] of this.#children) {
      if (this.#host.stateOf(ref.run) === null) this.#children.delete(child)
      else await this.#lookAtChild(child)
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
        ? this.#startChild(state, task, ref)
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

  async #startChild(state: RunState, task: TaskState, ref: AttemptRef): Promise<void> {
    const { store, language } = this.#host.parts
    const { work } = task.task
    if (work.kind !== 'dag') return
    const child = childRunId(ref.run, ref.task, ref.attempt)
    const there = await store.run(child)
    if (there === null) {
      const dag = await store.dag(state.created.namespace, work.dag)
      if (dag === null) {
        return this.#ended(ref, failure('configError', 'CONFIG_ERROR', `there is no DAG ${work.dag}`))
      }
      if ((await this.#depth(state)) >= LIMITS.nestingMax) {
        const message = `runs are nested ${LIMITS.nestingMax} deep; a DAG that runs itself never ends`
        return this.#ended(ref, failure('configError', 'CONFIG_ERROR', message))
      }
      const parameters = childParameters(state, task, language)
      if (!parameters.ok)
        return this.#ended(ref, failure('configError', 'EXPRESSION_ERROR', parameters.message))
      const created = createRun(
        {
          run: child,
          name: childRunName(state.created.name, ref.task, ref.attempt),
          dag: dag.dag,
          dagHash: dag.hash,
          parameters: parameters.value,
          labels: {},
          trigger: { kind: 'dag', key: childTriggerKey(ref.run, ref.task, ref.attempt) },
          parent: ref,
          workdir: state.created.workdir,
        },
        this.#host.now(),
      )
      if (!created.ok) {
        const message = created.problems.map(problem => problem.message).join('; ')
        return this.#ended(ref, failure('configError', 'CONFIG_ERROR', message))
      }
      // It may have been told to end while all this was read: what has not started never does.
      if (!this.#mayStart(ref)) return this.#ended(ref, NOT_STARTED)
      await this.#host.submit(dag.dag, created.value).catch((error: unknown) => {
        if (!(error instanceof StoreError) || error.code !== 'DUPLICATE_RUN') throw error
      })
    }
    await this.#followChild(child, ref)
  }

  #mayStart(ref: AttemptRef): boolean {
    const state = this.#host.stateOf(ref.run)
    const attempt = state === null ? undefined : lastAttempt(taskByKey(state, ref.task))
    return attempt?.number === ref.attempt && attempt.phase !== 'stopping' && attempt.phase !== 'ended'
  }

  /** The child is in the store: it is watched to its end. */
  async #followChild(child: string, ref: AttemptRef): Promise<void> {
    this.#children.set(child, ref)
    this.#host.observe({ kind: 'running', ref, at: this.#host.now(), handle: { run: child } })
    await this.#lookAtChild(child)
  }

  /** A child whose engine is dead, or let go of it, is driven here. */
  async #lookAtChild(child: string): Promise<void> {
    const { store, probe, me } = this.#host.parts
    const row = await store.run(child)
    if (row === null || isTerminal(row.phase)) return await this.childMoved(child)
    const owner = (await store.engines()).find(({ id }) => id === row.owner)
    if (row.owner === me.id || owner === undefined || !probe.isAlive(owner))
      await this.#host.adopt(child, row.owner)
  }

  async #depth(state: RunState): Promise<number> {
    let depth = 1
    for (
      let parent = state.created.parent?.run ?? null;
      parent !== null && depth <= LIMITS.nestingMax;
      depth += 1
    ) {
      parent = (await this.#host.parts.store.run(parent))?.parentRun ?? null
    }
    return depth
  }

  #stop(state: RunState, task: TaskState, graceMs: number): void {
    if (task.task.work.kind === 'container')
      return this.#host.parts.executor.stop(intendedOf(state, task), graceMs)
    const ref = refOf(state, task)
    const child = childRunId(ref.run, ref.task, ref.attempt)
    const skipFinally = state.stop?.skipFinally ?? false
    this.#stopChild(child, ref, skipFinally, graceMs).catch((error: unknown) =>
      this.#tryLater(ref.run, error),
    )
  }

  async #stopChild(child: string, ref: AttemptRef, skipFinally: boolean, graceMs: number): Promise<void> {
    const by = `run ${ref.run}`
    const problem = await this.#host.request(child, { kind: 'cancel', by, skipFinally })
    if (problem?.code === 'UNKNOWN_RUN') return this.#ended(ref, NOT_STARTED)
    await this.#followChild(child, ref)
    this.#host.hurry(child, graceMs)
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

function failure(kind: Outcome['kind'], reason: ReasonCode, message: string): Outcome {
  return { kind, reason, exitCode: null, signal: null, message, outputs: {} }
}

const NOT_STARTED = failure('cancelled', 'CANCELLED', 'it had not started')

function intendedOf(state: RunState, task: TaskState): Intended {
  const attempt = lastAttempt(task)
  if (attempt === undefined) throw new Error(`${task.key} has no attempt`)
  const { era, startedAt: at, handle } = attempt
  return {
    ...refOf(state, task),
    namespace: state.created.namespace,
    at,
    ...(era === null ? {} : { era }),
    ...(handle === null ? {} : { handle }),
  }
}

function refOf(state: RunState, task: TaskState): AttemptRef {
  return { run: state.created.run, task: task.key, attempt: task.attempts.length }
}
