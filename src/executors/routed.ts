import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { attemptPath } from '../core/run/attempt-path.ts'
import type { ContainerWork } from '../core/dag/dag.ts'
import type { AttemptRef, AttemptSpec, Executor, Intended, Observe } from '../ports/executor.ts'
import { codeOf } from './error-code.ts'

export type LocalKind = 'process' | 'container'

export interface RoutedOptions {
  readonly stateDir: string
  /** What new attempts are started with. */
  readonly kind: LocalKind
  readonly executor: Executor
  /** Opens the other one, for an attempt that an earlier engine started with it; null when it cannot be had now. */
  readonly other: () => Promise<Executor | null>
  readonly observe: Observe
}

/**
 * One executor for new attempts, and the other kind for those that an earlier engine started with it: an attempt stays
 * what it was started as, or it would run twice. Both kinds claim an attempt by the same file, `record`.
 */
export const createRoutedExecutor = (options: RoutedOptions): Executor => new RoutedExecutor(options)

class RoutedExecutor implements Executor {
  readonly name: string
  /** That of the kind that new attempts are started with. */
  readonly era?: string
  readonly #options: RoutedOptions
  #other: Promise<Executor | null> | null = null
  /** Attempts of the other kind. */
  readonly #elsewhere = new Map<string, Executor>()

  constructor(options: RoutedOptions) {
    this.#options = options
    this.name = options.executor.name
    const { era } = options.executor
    if (era !== undefined) this.era = era
  }

  ignores(work: ContainerWork): readonly string[] {
    return this.#options.executor.ignores(work)
  }

  start(spec: AttemptSpec): void {
    this.#of(spec).start(spec)
  }

  async adopt(ref: Intended): Promise<boolean> {
    const { kind, executor, stateDir, observe } = this.#options
    const found = kindOf(join(stateDir, pathOf(ref), 'record'))
    if (found === null || found === kind) return await executor.adopt(ref)
    this.#other ??= this.#options.other()
    const other = await this.#other
    if (other === null) {
      const message = `it runs as a ${found}, and this engine cannot reach those; see kontroler resume --executor`
      const outcome = {
        kind: 'lost',
        reason: 'LOST',
        exitCode: null,
        signal: null,
        message,
        outputs: {},
      } as const
      queueMicrotask(() => observe({ kind: 'ended', ref, at: Date.now(), outcome }))
      return true
    }
    this.#elsewhere.set(pathOf(ref), other)
    return await other.adopt(ref)
  }

  stop(ref: Intended, graceMs: number): void {
    this.#of(ref).stop(ref, graceMs)
  }

  release(ref: AttemptRef): void {
    this.#of(ref).release(ref)
    this.#elsewhere.delete(pathOf(ref))
  }

  async endRun(run: string, options: { readonly removeWorkspace: boolean }): Promise<void> {
    // The workspace goes last, when nobody can write to it any more.
    await (await this.#other)?.endRun(run, { removeWorkspace: false })
    await this.#options.executor.endRun(run, options)
  }

  async close(): Promise<void> {
    await (await this.#other)?.close()
    await this.#options.executor.close()
  }

  #of(ref: AttemptRef): Executor {
    return this.#elsewhere.get(pathOf(ref)) ?? this.#options.executor
  }
}

const pathOf = (ref: AttemptRef): string => attemptPath(ref.run, ref.task, ref.attempt)

/** Records of containers are JSON, those of processes are not; null when the attempt was never claimed. */
function kindOf(file: string): LocalKind | null {
  let handle: number
  try {
    handle = openSync(file, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null
    throw error
  }
  try {
    const first = Buffer.alloc(1)
    readSync(handle, first, 0, 1, 0)
    return first.toString('latin1') === '{' ? 'container' : 'process'
  } finally {
    closeSync(handle)
  }
}
