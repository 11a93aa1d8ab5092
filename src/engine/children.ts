import { LIMITS } from '../core/limits.ts'
import { childOutcome, childRunId, childRunName, childTriggerKey } from '../core/run/child.ts'
import { createRun } from '../core/run/create.ts'
import type { Outcome } from '../core/run/events.ts'
import { childParameters } from '../core/run/inputs.ts'
import { type RunState, type TaskState, isTerminal, lastAttempt, taskByKey } from '../core/run/state.ts'
import type { AttemptRef } from '../ports/executor.ts'
import { StoreError } from '../ports/store.ts'
import { failure, NOT_STARTED } from './attempt.ts'
import type { EffectsHost } from './effects-host.ts'

/** Runs that attempts of `dag` tasks are: created, watched to their end, and stopped. */
export class Children {
  readonly #host: EffectsHost
  /** Runs that attempts wait for. */
  readonly #waiting = new Map<string, AttemptRef>()

  constructor(host: EffectsHost) {
    this.#host = host
  }

  /** Another run changed: if an attempt waits for it, see whether it has ended. */
  async moved(run: string): Promise<void> {
    const waiting = this.#waiting.get(run)
    if (waiting === undefined) return
    const row = await this.#host.parts.store.run(run)
    if (row !== null && !isTerminal(row.phase)) return
    this.#waiting.delete(run)
    if (row !== null) return this.#ended(waiting, childOutcome(row))
    this.#ended(waiting, failure('lost', 'LOST', `run ${run} was removed`))
  }

  /** Sees to it that what is waited for is driven by somebody and that its end was noticed. */
  async lookAtAll(): Promise<void> {
    for (const [child, ref] of this.#waiting) {
      if (this.#host.stateOf(ref.run) === null) this.#waiting.delete(child)
      // One that cannot be read is told of, and does not keep the others waiting.
      else await this.#lookAt(child).catch((error: unknown) => this.#host.trouble(error, child))
    }
  }

  /** Creates the run that the attempt is, unless it is there already, and watches it. */
  async start(state: RunState, task: TaskState, ref: AttemptRef): Promise<void> {
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
    await this.#follow(child, ref)
  }

  /** Cancels the run that the attempt is, and watches it to its end. */
  async stop(child: string, ref: AttemptRef, skipFinally: boolean, graceMs: number): Promise<void> {
    const by = `run ${ref.run}`
    const problem = await this.#host.request(child, { kind: 'cancel', by, skipFinally })
    if (problem?.code === 'UNKNOWN_RUN') return this.#ended(ref, NOT_STARTED)
    await this.#follow(child, ref)
    this.#host.hurry(child, graceMs)
  }

  #mayStart(ref: AttemptRef): boolean {
    const state = this.#host.stateOf(ref.run)
    const attempt = state === null ? undefined : lastAttempt(taskByKey(state, ref.task))
    return attempt?.number === ref.attempt && attempt.phase !== 'stopping' && attempt.phase !== 'ended'
  }

  /** The child is in the store: it is watched to its end. */
  async #follow(child: string, ref: AttemptRef): Promise<void> {
    this.#waiting.set(child, ref)
    this.#host.observe({ kind: 'running', ref, at: this.#host.now(), handle: { run: child } })
    await this.#lookAt(child)
  }

  /** A child whose engine is dead, or let go of it, is driven here. */
  async #lookAt(child: string): Promise<void> {
    const { store, probe, me } = this.#host.parts
    const row = await store.run(child)
    if (row === null || isTerminal(row.phase)) return await this.moved(child)
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

  #ended(ref: AttemptRef, outcome: Outcome): void {
    this.#host.observe({ kind: 'ended', ref, at: this.#host.now(), outcome })
  }
}
