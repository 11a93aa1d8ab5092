/** Every bound of the server, with its unit, in one place. */
export const SERVER_LIMITS = {
  /** Bytes of a request's body. */
  bodyBytesMax: 1_048_576,
  /** Bytes of all headers of a request together. */
  headerBytesMax: 16_384,
  /** Connections at once; further ones are closed. */
  connectionsMax: 1_024,
  /** Longest a request may take to arrive, headers and body, in milliseconds. */
  requestTimeoutMs: 30_000,
  /** Longest its headers may take, in milliseconds. */
  headersTimeoutMs: 10_000,
  /** How long a connection is kept that asks for nothing, in milliseconds. */
  keepAliveTimeoutMs: 10_000,
  /** Characters of a name or id in a path. */
  pathPartLengthMax: 200,
  /** Runs or DAGs on a page. */
  pageMax: 500,
  /** Tasks or events on a page. */
  longPageMax: 5_000,
  /** Bytes of a log in one answer, unless it is followed or downloaded. */
  logBytesMax: 4_194_304,
  /** Lines that `tail` may ask for. */
  logLinesMax: 100_000,
  /** Logs that are followed at once. */
  logFollowersMax: 200,
  /** Clients of the stream of events at once. */
  streamsMax: 1_000,
  /** Bytes that wait for a client of the stream; one that reads less is cut off and may come back. */
  streamBytesMax: 1_048_576,
  /** Entries that a client may be behind and still be told one by one; one that is further behind reads anew. */
  replayMax: 10_000,
  /** How often a stream says that it lives, and is ended when its reader may not read any more, in milliseconds. */
  heartbeatMs: 15_000,
  /** Characters of an idempotency key. */
  keyLengthMax: 200,
  /** Runs whose whole log is being replayed at once; others wait for their turn. */
  replaysMax: 4,
  /** Events of webhooks that one address may send in a second, and ten times as many at once. */
  hookEventsPerSecondMax: 2_000,
  /** Events of one address in a minute whose sender did not prove itself; further ones are answered with 429. */
  wrongProofsPerMinuteMax: 60,
} as const
