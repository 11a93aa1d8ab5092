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
  /** Tries to sign in as one user, within the window. */
  triesPerUserMax: 10,
  /** Tries to sign in from one address, within the window. */
  triesPerAddressMax: 50,
  /** Time over which tries to sign in are counted, in milliseconds. */
  triesWindowMs: 900_000,
  /** Passwords that are checked at once; each takes 19 MiB and a thread. */
  passwordsAtOnceMax: 2,
  /** Checks of passwords that wait for their turn; who comes then is told to come back. */
  passwordsWaitingMax: 50,
  /** Least characters of a password. */
  passwordLengthMin: 12,
  /** Most characters of a password. */
  passwordLengthMax: 256,
  /** How rarely the use of a session or token is written down, in milliseconds. */
  seenEveryMs: 60_000,
  /** Denied requests of one origin that are written to the audit log in a minute; further ones are counted. */
  deniedPerMinuteMax: 30,
  /** Origins of denied requests that are told apart. */
  deniedOriginsMax: 1_000,
} as const
