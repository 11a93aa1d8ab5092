import type { AttemptRef } from '../../ports/executor.ts'
import type { LoggedPod } from './logged-pod.ts'

/** Where the pod executor hands over the logs of its pods; it deletes no pod whose log is not durable. */
export interface PodLogs {
  /**
   * These containers of the pod run, or did: their logs may be wanted while they grow. May be said again with more of
   * them. `found` says that the pod ran while nobody looked, so that its log is read soon.
   */
  running(pod: LoggedPod, found: boolean): void
  /**
   * These containers have ended. Resolves when their whole logs are durable, or say what is missing of them.
   *
   * @throws when it is closed before that.
   */
  ended(pod: LoggedPod): Promise<void>
  /** Whether the whole logs of all of these containers are durable already. */
  isComplete(pod: LoggedPod): Promise<boolean>
  /** Attempts whose logs an earlier engine began and did not finish. */
  leftovers(): Promise<readonly AttemptRef[]>
  /** The attempt has ended and its pod is gone: what is there of its logs says that the rest is missing. */
  lost(attempt: AttemptRef): Promise<void>
  /** The attempt's run was removed: what is left of its logs goes, too. */
  forget(attempt: AttemptRef): Promise<void>
  close(): Promise<void>
}
