import type { RunEvent } from '../core/run/events.ts'
import type { RunState } from '../core/run/state.ts'

/** What an engine tells whoever shows or forwards it. Everything here is durable when it is told. */
export interface Notices {
  /** Facts that were appended by this engine, or seen to have been appended by another. */
  events?(state: RunState, events: readonly RunEvent[]): void
  /** Something takes its time and is on its way, such as an image; a sentence for people, not durable. */
  progress?(message: string, run: string | null): void
  /** The world failed; the engine goes on and tries again. `code` is stable. */
  trouble?(code: string, message: string, run: string | null): void
  /** A turn of the engine is over: what came in was looked at, and what follows from it is on its way to the store. */
  turned?(durationMs: number): void
}

/** Says whether a process that called itself an engine still lives. */
export interface EngineProbe {
  isAlive(engine: {
    readonly pid: number
    readonly processStart: string
    readonly bootId: string
    readonly host: string
    /** Absent where it was not kept: then nothing was heard for long. */
    readonly seenAt?: number
  }): boolean
}
