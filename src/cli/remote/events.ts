import type { RunEvent as AnyEvent } from '../../client/api-types.ts'
import type { RunEvent } from '../../core/run/events.ts'
import { CommandError, EXIT } from '../exit.ts'
import { type RemoteServer, ifThere } from './server.ts'

const EVENTS_PAGE = 5_000

/** What this version can replay. */
const KNOWN: Readonly<Record<RunEvent['type'], true>> = {
  runCreated: true,
  runStarted: true,
  taskExpanded: true,
  tasksReady: true,
  tasksSettled: true,
  tasksReused: true,
  attemptStarted: true,
  attemptPending: true,
  attemptRunning: true,
  attemptStopping: true,
  attemptEnded: true,
  approvalRequested: true,
  approvalAnswered: true,
  runPaused: true,
  runResumed: true,
  stopRequested: true,
  finallyStarted: true,
  runSettled: true,
}

/**
 * Events of a server, which has checked them. One that this version does not know would make everything after it
 * wrong, so it is said instead.
 *
 * @throws {CommandError} `SERVER_NEWER`
 */
export function knownEvents(events: readonly AnyEvent[]): readonly RunEvent[] {
  const strange = events.find(({ type }) => !Object.hasOwn(KNOWN, type))
  if (strange === undefined) return events as unknown as readonly RunEvent[]
  throw new CommandError(
    'SERVER_NEWER',
    `the server tells of "${strange.type.slice(0, 40)}", which this version does not know`,
    'use a program of the same version as the server: kontroler --version',
    EXIT.failed,
  )
}

/** Everything of its log from the `after`-th event on; null when there is no such run. */
export async function eventsFrom(
  server: RemoteServer,
  run: string,
  after: number,
): Promise<readonly RunEvent[] | null> {
  const events: RunEvent[] = []
  for (;;) {
    const query = { after: after + events.length, limit: EVENTS_PAGE }
    const page = await ifThere(server, () => server.client.call('listEvents', { params: { run }, query }))
    if (page === null) return null
    events.push(...knownEvents(page.items))
    if (page.next === null) return events
  }
}
