/**
 * When a running container's log is read, so that its node does not rotate away what was not read, at few requests.
 *
 * A kubelet shows only the newest file of a container's log. Every ten seconds it looks at the sizes of those of
 * running containers; one that has reached `containerLogMaxSize` (10 MiB unless the node says otherwise) is put aside
 * and a new one begun. Whoever follows at that time is led from one file into the next; whoever does not loses what
 * was unread.
 */
export interface LogProgress {
  /** Bytes in the node's newest file, about, and never much less. */
  readonly fileBytes: number
  /** Bytes a millisecond, lately: rises at once, falls slowly. */
  readonly rate: number
  /** When that was last known. */
  readonly at: number
  /** Bytes since then that are not in the rate yet. */
  readonly fresh: number
  /** When the file was found big enough to be rotated; null while it is not. */
  readonly fullAt: number | null
  /** What came after that: the most that the newest file holds once it was rotated. */
  readonly sinceFull: number
  /** How long the last wait was. */
  readonly waitMs: number
  /** Reads that failed, one after the other. */
  readonly failures: number
}

export interface LogLimits {
  /** `containerLogMaxSize` of the nodes. */
  readonly rotateBytes: number
  /** The first look at a container that goes on running. */
  readonly firstReadMs: number
  /** The longest time between two looks, while there are few containers. */
  readonly readEveryMs: number
  /** Looks at running containers, of all together, unless one fills its file. */
  readonly readsPerSecond: number
}

export const LOG_LIMITS: LogLimits = {
  rotateBytes: 10 * 1024 * 1024,
  firstReadMs: 2000,
  readEveryMs: 30_000,
  readsPerSecond: 50,
}

/** The kubelet's round is ten seconds; a busy one takes longer. */
const ROTATION_MS = 20_000
const NEARLY_FULL = 0.8
const NEARLY_FULL_MS = 5000
const LEAST_MS = 1000
const RATE_MS = 1000
const FAILED_MS = 1000
/** A container's begin is told in whole seconds. */
const BEGAN_MS = 1000
const FAILED_MS_MAX = 60_000

export const newProgress = (now: number): LogProgress => ({
  fileBytes: 0,
  rate: 0,
  at: now,
  fresh: 0,
  fullAt: null,
  sinceFull: 0,
  waitMs: 0,
  failures: 0,
})

/** More of the log was read. */
export function grown(progress: LogProgress, bytes: number, now: number, limits: LogLimits): LogProgress {
  const fileBytes = progress.fileBytes + bytes
  const fresh = progress.fresh + bytes
  const wasFull = progress.fullAt !== null
  const passed = now - progress.at
  return {
    ...progress,
    fileBytes,
    ...(passed < RATE_MS
      ? { fresh }
      : { fresh: 0, at: now, rate: Math.max(fresh / passed, (progress.rate + fresh / passed) / 2) }),
    fullAt: wasFull ? progress.fullAt : fileBytes >= limits.rotateBytes ? now : null,
    sinceFull: wasFull ? progress.sinceFull + bytes : 0,
  }
}

/** The file was read from its beginning: what it holds is known. */
export const measured = (progress: LogProgress, fileBytes: number): LogProgress => ({
  ...progress,
  fileBytes,
  fullAt: null,
  sinceFull: 0,
})

/** A full file was rotated by now. */
export function settled(progress: LogProgress, now: number, limits: LogLimits): LogProgress {
  if (progress.fullAt === null || now - progress.fullAt < ROTATION_MS) return progress
  const fileBytes = progress.sinceFull
  return { ...progress, fileBytes, fullAt: fileBytes >= limits.rotateBytes ? now : null, sinceFull: 0 }
}

/** Whether the node may rotate the log so soon that only who follows it sees everything. */
export const atRisk = (progress: LogProgress, limits: LogLimits): boolean =>
  progress.fullAt !== null ||
  progress.fileBytes + progress.rate * ROTATION_MS >= limits.rotateBytes ||
  progress.rate * ROTATION_MS >= limits.rotateBytes / 2

/**
 * Whether a log that was read for the first time may have had a beginning that was rotated away: its first line came so
 * long after the container began that, at its rate, there was time to fill a file.
 *
 * @param window  Milliseconds between the container's begin and the first line.
 * @param spanMs  Between the first line and the last that was read.
 */
export const mayLackBeginning = (
  { fileBytes, spanMs, windowMs }: { fileBytes: number; spanMs: number; windowMs: number },
  limits: LogLimits,
): boolean => (fileBytes / Math.max(spanMs, RATE_MS)) * (windowMs - BEGAN_MS) >= limits.rotateBytes

/** How long to wait before the next look. `running`: logs that are looked at, in all. */
export function waitMs(progress: LogProgress, running: number, limits: LogLimits): number {
  if (progress.failures > 0) return Math.min(FAILED_MS * 2 ** (progress.failures - 1), FAILED_MS_MAX)
  const paced = (running / limits.readsPerSecond) * 1000
  if (progress.waitMs === 0) return Math.max(limits.firstReadMs, Math.min(paced, limits.readEveryMs))
  const calm = Math.max(Math.min(progress.waitMs * 1.5, limits.readEveryMs), paced)
  const room = limits.rotateBytes * NEARLY_FULL - progress.fileBytes
  const filled = room <= 0 ? NEARLY_FULL_MS : progress.rate === 0 ? calm : room / 2 / progress.rate
  return Math.max(LEAST_MS, Math.min(calm, filled))
}
