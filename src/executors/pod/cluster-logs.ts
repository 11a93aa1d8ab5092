import type { AttemptRef } from '../../ports/executor.ts'
import type { PodPlace } from './names.ts'

/** Where the pod executor hands over the logs of its pods; it deletes no pod whose log is not durable. */
export interface PodLogs {
  /** The main container runs: its log may be wanted while it grows. */
  running(ref: AttemptRef, pod: PodPlace): void
  /** All of the pod's containers that matter have ended. Resolves when the whole log is durable. */
  ended(ref: AttemptRef, pod: PodPlace): Promise<void>
  /** Whether the whole log of this attempt is durable already. */
  isComplete(ref: AttemptRef): Promise<boolean>
  close(): Promise<void>
}
