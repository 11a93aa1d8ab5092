/** Which part of which container's log. */
export interface ContainerLogRequest {
  readonly namespace: string
  readonly pod: string
  readonly uid: string
  readonly container: string
  /**
   * Lines from this time on, RFC 3339 in whole seconds: the API server cuts the rest off. Absent: from the
   * beginning.
   */
  readonly sinceTime?: string
  /** Stays open and gives what comes until the container ends. */
  readonly follow: boolean
  /** Each line begins with its time: without it nothing could be read on. */
  readonly timestamps: true
}

/**
 * Where a kubelet's copy of a container's log is read: in the cluster, `GET /api/v1/…/pods/NAME/log`.
 *
 * A stream that ends without an error is no proof that the log ended there: an API server that loses the kubelet in the
 * middle ends its answer as if all were well.
 */
export interface ContainerLogSource {
  /**
   * @throws {LogUnavailable} when there is nothing to read, now or ever. Any other error, here or from the stream, is
   * taken for one that may pass.
   */
  open(request: ContainerLogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
}

/**
 * Why there is nothing to read:
 *
 * | kind | meaning |
 * |---|---|
 * | `notStarted` | the container has not begun; it has no log yet |
 * | `gone` | the log is not there and will never be: pod, node or file are gone |
 * | `unreachable` | the node does not answer; may pass, and is given up after a while |
 * | `away` | the cluster itself does not answer, so that nothing is known of the log; is never given up |
 * | `refused` | the cluster does not let us read it; is told to people, and never given up |
 */
export type LogUnavailableKind = 'notStarted' | 'gone' | 'unreachable' | 'away' | 'refused'

/** There is no log to read. */
export class LogUnavailable extends Error {
  readonly kind: LogUnavailableKind

  constructor(kind: LogUnavailableKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LogUnavailable'
    this.kind = kind
  }
}
