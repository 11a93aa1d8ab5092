import type { Dag as DagAnswer, DagPage, Explanation as ExplanationAnswer } from '../../client/api-types.ts'
import type { Dag } from '../../core/dag/dag.ts'
import { replay } from '../../core/run/evolve.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import type { RunState } from '../../core/run/state.ts'
import type { SkipReason } from '../../core/schedule/skip.ts'
import type { RunQuery } from '../../ports/store.ts'
import { CommandError } from '../exit.ts'
import type { DagLine, DagRecord, Explained, Records, RunRecord } from '../records.ts'
import { eventsFrom } from './events.ts'
import { RemoteLogs } from './logs.ts'
import { recordOf } from './run-record.ts'
import { type RemoteServer, ifThere, openRemoteServer } from './server.ts'
import type { ServerTarget } from './target.ts'
import { watchRemote } from './watched.ts'

const DAGS_PAGE = 500

/** @throws {CommandError} */
export async function openRemoteRecords(target: ServerTarget): Promise<Records> {
  const server = openRemoteServer(target)
  const records = remoteRecords(server)
  return { ...records, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

/** The records of a server; who opened it closes it. */
export function remoteRecords(server: RemoteServer): Records {
  const { client } = server
  const logs = new RemoteLogs(server)
  const run: Records['run'] = id =>
    ifThere(server, async () => recordOf(await client.call('getRun', { params: { run: id } })))
  const runs: Records['runs'] = async query => {
    const page = await server.ask(() => client.call('listRuns', { query: queryOf(query) }))
    return { items: page.items.map(recordOf), next: page.next }
  }
  const dag: Records['dag'] = (namespace, name, version) =>
    ifThere(server, () => dagRecord(server, namespace, name, version))
  const load: Records['load'] = id => loadRemote(server, id)
  return {
    run,
    runs,
    find: text => findRemote(server, text),
    load,
    dag,
    dagOf: of => ifThere(server, () => dagByHash(server, of)),
    dags: () => allDags(server),
    skips: (namespace, name, limit) => skipsOf(server, namespace, name, limit),
    explain: (of, _state, task) => explained(server, of.id, task?.key ?? null),
    watch: (id, say) => {
      server.waitFor(say)
      return watchRemote(server, id, load)
    },
    logs,
    logPath: (state, task, attempt) =>
      task.task.work.kind === 'container'
        ? `${server.url}/api/v1/runs/${state.created.run}/tasks/${encodeURIComponent(task.key)}/log?attempt=${attempt}`
        : null,
    // They are known where the tasks run; here nobody could take them out.
    secretsOf: async () => [],
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** A run with all of its tasks: its log, replayed over the version of the DAG that it runs. */
async function loadRemote(server: RemoteServer, id: string): Promise<RunState | null> {
  const events = await eventsFrom(server, id, 0)
  const [first] = events ?? []
  if (events === null || first?.type !== 'runCreated') return null
  const { namespace, dag, dagHash } = first
  const found = await ifThere(server, () => dagByHash(server, { namespace, dag, dagHash }))
  if (found === null) {
    const message = `the version of DAG ${dag} that run ${first.name} runs is not told`
    throw new CommandError('UNKNOWN_DAG', message, 'see what you may look at in its namespace', 1)
  }
  const state = replay(found.dag, events)
  state.work.changed.clear()
  return state
}

async function findRemote(server: RemoteServer, text: string): Promise<RunRecord> {
  const { client } = server
  const list = (query: RunQuery & { readonly limit: number }): Promise<readonly RunRecord[]> =>
    server.ask(async () => (await client.call('listRuns', { query: queryOf(query) })).items.map(recordOf))
  if (text === '@last') {
    const [last] = await list({ parentRun: null, limit: 1 })
    if (last !== undefined) return last
    throw new CommandError('UNKNOWN_RUN', 'nothing has run yet', 'kontroler submit DAG')
  }
  const byId = await ifThere(server, async () =>
    recordOf(await client.call('getRun', { params: { run: text } })),
  )
  if (byId !== null) return byId
  const found = text.length > 253 ? [] : await list({ namePrefix: text, limit: 10 })
  const exact = found.filter(({ name }) => name === text)
  const [only, second] = exact.length > 0 ? exact : found
  if (only === undefined)
    throw new CommandError('UNKNOWN_RUN', `there is no run ${text}`, 'see kontroler list')
  if (second === undefined || exact.length === 1) return only
  const names = found.map(({ name, id }) => `${name} (${id})`).join(', ')
  throw new CommandError(
    'AMBIGUOUS_RUN',
    `${text} may be any of: ${names}`,
    'give more of the name, or the id',
  )
}

function queryOf({ namespace, dag, namePrefix, phases, labels = {}, parentRun, ...rest }: RunQuery) {
  const { createdFrom, createdBefore, limit, after } = rest
  const all = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(dag === undefined ? {} : { dag }),
    ...(namePrefix === undefined ? {} : { name: namePrefix }),
    ...(phases === undefined ? {} : { phase: [...phases] }),
    ...(all.length === 0 ? {} : { label: all }),
    ...(createdFrom === undefined ? {} : { createdFrom: String(createdFrom) }),
    ...(createdBefore === undefined ? {} : { createdBefore: String(createdBefore) }),
    ...(parentRun === undefined ? {} : { parent: parentRun ?? 'none' }),
    ...(limit === undefined ? {} : { limit }),
    ...(after === undefined ? {} : { after }),
  }
}

async function dagRecord(
  { client }: RemoteServer,
  namespace: string,
  name: string,
  wanted?: number,
): Promise<DagRecord | null> {
  const params = { namespace, name }
  const version =
    wanted ?? (await client.call('listDagVersions', { params })).items.find(({ current }) => current)?.version
  if (version === undefined) return null
  const found = await client.call('getDagVersion', { params: { ...params, version } })
  return { dag: found.content as Dag, version }
}

async function dagByHash(
  server: RemoteServer,
  { namespace, dag: name, dagHash }: Parameters<Records['dagOf']>[0],
): Promise<DagRecord | null> {
  const { items } = await server.client.call('listDagVersions', { params: { namespace, name } })
  const version = items.find(({ hash }) => hash === dagHash)?.version
  return version === undefined ? null : await dagRecord(server, namespace, name, version)
}

async function allDags(server: RemoteServer): Promise<readonly DagLine[]> {
  const lines: DagLine[] = []
  let after: string | null = null
  do {
    const query: { limit: number; after?: string } = { limit: DAGS_PAGE }
    if (after !== null) query.after = after
    const page: DagPage = await server.ask(() => server.client.call('listDags', { query }))
    lines.push(...page.items.map(lineOf))
    after = page.next
  } while (after !== null)
  return lines
}

function lineOf({ namespace, name, version, hash, schedules, timeZone, ...rest }: DagAnswer): DagLine {
  const { createdAt, suspended, tasks } = rest
  return {
    namespace,
    name,
    version,
    hash,
    source: null,
    createdAt: Date.parse(createdAt),
    schedules: schedules.map(({ text }) => text),
    timeZone,
    suspended,
    tasks,
  }
}

async function skipsOf(
  { client, ask }: RemoteServer,
  namespace: string,
  name: string,
  limit: number,
): ReturnType<Records['skips']> {
  const { items } = await ask(() =>
    client.call('listSkips', { params: { namespace, name }, query: { limit } }),
  )
  return items.map(({ from, to, count, reason, at }) => ({
    from: Date.parse(from),
    to: Date.parse(to),
    count,
    reason: reason as SkipReason,
    at: Date.parse(at),
  }))
}

async function explained(
  { client, ask }: RemoteServer,
  run: string,
  task: string | null,
): Promise<Explained> {
  const query = task === null ? {} : { task }
  const answer = await ask(() => client.call('explainRun', { params: { run }, query }))
  return {
    main: explanationOf(answer),
    roots: answer.root.map(({ task: name, ...why }) => [name, explanationOf(why)] as const),
  }
}

type Why = Pick<ExplanationAnswer, 'code' | 'sentence' | 'next' | 'deadline'>

const explanationOf = ({ code, sentence, next, deadline }: Why): Explained['main'] => ({
  code: code as ReasonCode,
  sentence,
  next,
  deadline: deadline === null ? null : { at: Date.parse(deadline.at), what: deadline.what },
})
