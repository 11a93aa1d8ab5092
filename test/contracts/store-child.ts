/**
 * A process of its own that uses a database, for tests that need several or that kill one.
 * `node store-child.ts COMMAND DATABASE [ARGUMENT …]`, the database a file or the URL of a PostgreSQL; what it did
 * goes to standard output, a line each.
 */
import { writeSync } from 'node:fs'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { type Store, StoreError } from '../../src/ports/store.ts'
import { openPostgresStore } from '../../src/stores/postgres/open.ts'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'
import { append, attemptRow, event, ended, runRow, taskRow } from './store-records.ts'

const [command = '', database = '', ...args] = process.argv.slice(2)
const commands: Readonly<Record<string, () => Promise<void>>> = {
  open,
  openAsNobody,
  openAndDieAt,
  write,
  compete,
  keepOpen,
}
await (commands[command] ?? unknownCommand)()

function openStore(): Promise<Store> {
  return database.startsWith('postgres:') ? openPostgresStore(database) : openSqliteStore(database)
}

function say(text: string): void {
  writeSync(1, `${text}\n`)
}

async function unknownCommand(): Promise<void> {
  throw new Error(`no command ${command}`)
}

/** Opens and closes; says the error's code and message when it cannot. */
async function open(): Promise<void> {
  try {
    const store = await openStore()
    await store.close()
    say('opened')
  } catch (error) {
    say(error instanceof StoreError ? `${error.code} ${error.message}` : String(error))
  }
}

/** Root may write everywhere; an ordinary user may not. */
async function openAsNobody(): Promise<void> {
  if (process.getuid?.() === 0) {
    process.setgid?.(65_534)
    process.setuid?.(65_534)
  }
  await open()
}

/** Is killed before the n-th statement that it gives to SQLite. */
async function openAndDieAt(): Promise<void> {
  let left = Number(args[0])
  const dieWhenDue = {
    apply<R>(original: (...values: unknown[]) => R, on: unknown, values: unknown[]): R {
      left -= 1
      if (left === 0) process.kill(process.pid, 'SIGKILL')
      return original.apply(on, values)
    },
  }
  for (const [prototype, name] of [
    [DatabaseSync.prototype, 'exec'],
    [StatementSync.prototype, 'run'],
    [StatementSync.prototype, 'all'],
  ] as const)
    Object.defineProperty(prototype, name, { value: new Proxy(Reflect.get(prototype, name), dieWhenDue) })
  await open()
}

/** Appends without end to several runs at once, and says `run version` for each append once it was acknowledged. */
async function write(): Promise<void> {
  const store = await openStore()
  await Promise.all(
    Array.from({ length: Number(args[0]) }, async (_, index) => {
      const run = `run${index}`
      for (let version = (await store.run(run))?.version ?? 0; ; version += 1) {
        await store.append(written(run, version))
        say(`${run} ${version + 1}`)
      }
    }),
  )
}

/** The `version + 1`-th append of a run: every row says which one it is from. */
function written(run: string, version: number) {
  const tasks = [taskRow(run, version, { attempts: version + 1, message: 'x'.repeat(version % 50) })]
  return append(run, version, {
    rows: {
      run: runRow(run, { tasksDone: version + 1 }),
      tasks,
      attempts: [attemptRow(run, `t${version}`, version + 1)],
    },
  })
}

/**
 * What several engines do at once on one file: make the same runs by the same keys, append to one log, take slots of
 * one pool, claim the same runs. Says as JSON what it won.
 */
async function compete(): Promise<void> {
  const [me = '', rounds = '0'] = args
  const store = await openStore()
  const won = { created: [] as string[], claimed: [] as string[], shared: 0, own: 0, mostLive: 0 }
  for (let round = 0; round < Number(rounds); round += 1) {
    const trigger = { kind: 'event', key: `key${round}`, source: 's' } as const
    const run = `${me}-${round}`
    const row = runRow(run, { trigger })
    const create = append(run, 0, { rows: { run: row, tasks: [], attempts: [] } })
    if (await accepted(store.append(create), 'DUPLICATE_RUN')) won.created.push(run)
    await store.append(append(`own-${me}`, round, { events: [event(round)] }))
    won.own += 1
    won.shared += await appendShared(store, me, round)
    won.mostLive = Math.max(won.mostLive, await useSlot(store, me))
    const target = await store.runOfTrigger('default', 'etl', 'event', trigger.key)
    if (target !== null && (await store.claim(target, null, me))) won.claimed.push(target)
  }
  await store.close()
  say(JSON.stringify(won))
}

async function appendShared(store: Store, me: string, round: number): Promise<number> {
  for (;;) {
    const version = (await store.run('shared'))?.version ?? 0
    const mark = { type: 'runPaused', at: round, by: me } as const
    const one = append('shared', version, { events: [mark] })
    if (await accepted(store.append(one), 'VERSION_CONFLICT', 'DUPLICATE_RUN')) return 1
  }
}

/** Takes a slot of a pool of 2 if there is one, looks how many are live, and gives it back. */
async function useSlot(store: Store, me: string): Promise<number> {
  const run = `slots-${me}`
  const version = (await store.run(run))?.version ?? 0
  const attempt = attemptRow(run, 't', version + 1, { pool: 'gpu' })
  const rows = { run: runRow(run), tasks: [], attempts: [attempt] }
  const pools = new Map([['gpu', 2]])
  if (!(await accepted(store.append(append(run, version, { rows, pools })), 'POOL_FULL'))) return 0
  const live = (await store.poolUse()).get('gpu') ?? 0
  await store.append(append(run, version + 1, { rows: { ...rows, attempts: [ended(attempt)] } }))
  return live
}

async function accepted(promise: Promise<void>, ...refusals: string[]): Promise<boolean> {
  try {
    await promise
    return true
  } catch (error) {
    if (error instanceof StoreError && refusals.includes(error.code)) return false
    throw error
  }
}

/** Writes some transactions, each by itself, and stays; whoever kills it leaves a log that was not merged. */
async function keepOpen(): Promise<void> {
  const store = await openStore()
  for (let version = 0; version < Number(args[0]); version += 1) await store.append(written('r', version))
  say('ready')
  setInterval(() => undefined, 1_000)
}
