import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { Json } from '../../src/core/json.ts'
import type { ContainerWork } from '../../src/core/dag/dag.ts'
import type { Outcome } from '../../src/core/run/events.ts'
import type { AttemptRef, AttemptSpec, Executor, Observation } from '../../src/ports/executor.ts'
import type { LogArchive } from '../../src/ports/logs.ts'

/** A place where an executor under test runs its attempts; made anew for each test. */
export interface ExecutorHarness {
  /** An executor over the same state as all others of this harness. */
  open(observe: (observation: Observation) => void): Executor
  readonly logs: LogArchive
  /** Image with `sh` and the usual commands, for an executor that needs one. */
  readonly image?: string
  /** Where tasks start. */
  readonly workdir: string
  /** Namespace of the attempts. Default: `default`. */
  readonly namespace?: string
  /** The claim behind the workspace, for an executor that makes one. */
  readonly workspaceClaim?: Json
  /** What of the attempts still runs, in words; empty at the end of every test. */
  leftovers(): readonly string[] | Promise<readonly string[]>
  remove(): Promise<void>
}

/** An executor together with what it has reported. */
export class Watched {
  readonly executor: Executor
  readonly seen: Observation[] = []
  readonly #wake = new Set<() => void>()

  constructor(harness: ExecutorHarness) {
    this.executor = harness.open(observation => {
      this.seen.push(observation)
      for (const wake of this.#wake) wake()
    })
  }

  /** The next end of an attempt that is reported from here on, or the one reported before. */
  async ended(ref: AttemptRef): Promise<Outcome> {
    const found = await this.#first(observation => observation.kind === 'ended' && isOf(observation, ref))
    assert.ok(found.kind === 'ended')
    return found.outcome
  }

  async running(ref: AttemptRef): Promise<Observation> {
    return this.#first(observation => observation.kind === 'running' && isOf(observation, ref))
  }

  /** What was reported of it, without what held its start back. */
  kinds(ref: AttemptRef): string[] {
    return this.seen
      .filter(observation => isOf(observation, ref) && observation.kind !== 'pending')
      .map(({ kind }) => kind)
  }

  async run(spec: AttemptSpec): Promise<Outcome> {
    this.executor.start(spec)
    return this.ended(spec)
  }

  async #first(matches: (observation: Observation) => boolean): Promise<Observation> {
    for (;;) {
      const found = this.seen.find(matches)
      if (found !== undefined) return found
      await new Promise<void>(resolve => {
        const wake = (): void => {
          this.#wake.delete(wake)
          resolve()
        }
        this.#wake.add(wake)
      })
    }
  }
}

let count = 0

export interface TaskShape extends Partial<Omit<AttemptSpec, 'work'>> {
  readonly work?: Partial<ContainerWork>
  /** Short for `command: ['sh', '-c', sh]`. */
  readonly sh?: string
}

/** An attempt of its own task, with everything ordinary that is not given. */
export function attempt(
  harness: Pick<ExecutorHarness, 'image' | 'workdir' | 'namespace' | 'workspaceClaim'>,
  shape: TaskShape,
): AttemptSpec {
  const { work, sh, ...rest } = shape
  count += 1
  return {
    run: 'run-1',
    task: `task-${count}`,
    attempt: 1,
    namespace: harness.namespace ?? 'default',
    dag: 'dag',
    runName: 'dag-run',
    env: [],
    secretNames: [],
    references: [],
    outputs: [],
    workspace: false,
    workdir: harness.workdir,
    pod: {
      workspaceClaim: harness.workspaceClaim ?? null,
      startGuarantee: 'fence',
      evidence: 'watch',
      security: 'hardened',
    },
    work: {
      kind: 'container',
      image: harness.image ?? null,
      command: sh === undefined ? [] : ['sh', '-c', sh],
      args: [],
      script: null,
      scriptInjectorImage: null,
      env: [],
      resources: null,
      podTemplate: null,
      ...work,
    },
    ...rest,
  }
}

export async function logOf(harness: ExecutorHarness, ref: AttemptRef): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for (let offset = 0; ; ) {
    const part = await harness.logs.read(ref, offset, 1024 * 1024)
    if (part.length === 0) return Buffer.concat(parts)
    parts.push(part)
    offset += part.length
  }
}

export const logText = async (harness: ExecutorHarness, ref: AttemptRef): Promise<string> =>
  (await logOf(harness, ref)).toString('utf8')

/** Waits until a log holds a text, so that a test acts when the task has come that far. */
export async function logHolds(harness: ExecutorHarness, ref: AttemptRef, text: string): Promise<void> {
  while (!(await logText(harness, ref)).includes(text)) await delay(5)
}

const isOf = ({ ref }: Observation, other: AttemptRef): boolean =>
  ref.run === other.run && ref.task === other.task && ref.attempt === other.attempt
