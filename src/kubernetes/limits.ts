/** Every bound of the client, with its unit, in one place. */
export const CLIENT_LIMITS = {
  /** Requests in flight when a client is new. Eight fill a small API server. */
  inFlightStart: 16,
  /** Requests in flight at most: above it nothing gets faster. Also the connections of the pool. */
  inFlightMax: 64,
  /** Requests in flight at least, however slow or angry the server is. */
  inFlightMin: 4,
  /** Whole time of a request with its waiting and its repetitions, when the caller names none. */
  deadlineMs: 60_000,
  /** Time of one attempt; the server is told to give up on it after the same time. */
  attemptMs: 20_000,
  /** The same for a list page and for one chunk of a deletecollection. */
  longAttemptMs: 65_000,
  /** Time until a connection stands. */
  connectMs: 10_000,
  /** An idle connection is closed after this time, before load balancers forget it. */
  idleConnectionMs: 30_000,
  /** Silence on a connection after which the kernel asks whether the other side still lives. */
  keepAliveProbeMs: 15_000,
  /** First wait before a repetition; each further one is up to twice as long. */
  backOffFirstMs: 100,
  /** Longest wait before a repetition of a request. */
  backOffMaxMs: 5_000,
  /** A server's Retry-After is followed up to this. */
  retryAfterMaxMs: 60_000,
  /** Files and plugins with credentials are read again after this time. */
  credentialsMs: 60_000,
  /** A credential plugin that nobody has to talk to must be done in this time. */
  pluginMs: 60_000,
  /** Most of what a credential plugin may print. */
  pluginBytesMax: 1024 * 1024,
  /** Objects in a page of a list. Parsing 250 pods holds the event loop for 5 ms, 10,000 for half a second. */
  pageSize: 250,
  /** A list whose `continue` token expired starts again this often, and then asks for everything at once. */
  listRestartsMax: 3,
  /** Objects that one deletecollection removes. */
  removeChunk: 100,
  /** Bytes of a reply that is read whole. */
  replyBytesMax: 256 * 1024 * 1024,
  /** Bytes of an error's text that are read. */
  problemBytesMax: 64 * 1024,
  /** Bytes of one watch event. An object is at most 1.5 MB in the database, a few times that as JSON. */
  eventBytesMax: 16 * 1024 * 1024,
  /** A watch is asked to end after a time between these two, so that not all end together. */
  watchSecondsMin: 180,
  watchSecondsMax: 300,
  /** A watch that has not ended this long after it should have is dead. */
  watchGraceMs: 30_000,
  /** A watch that has shown periodic bookmarks (one a minute) and then says nothing for so long is dead. */
  bookmarkSilenceMs: 150_000,
  /** A stream that lived so long was a good one: the next back-off starts from the beginning. */
  goodStreamMs: 30_000,
  /** First and longest wait of a reflector after a stream that broke. */
  reflectorBackOffFirstMs: 200,
  reflectorBackOffMaxMs: 30_000,
  /** Streams in a row that the server refuses, before the reflector lists again. */
  barrenStreamsMax: 3,
  /** What a listener failed to take in is told again, by a new list, after this time. */
  retellMs: 30_000,
  /** Everything is listed again after about this time, whatever the watch says. */
  relistMs: 600_000,
} as const
