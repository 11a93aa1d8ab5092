import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseAllDocuments, stringify } from 'yaml'
import { createFilesystemLogs } from '../../src/archives/filesystem/logs.ts'
import { chance } from '../../src/core/chance.ts'
import { workspacePath } from '../../src/core/run/attempt-path.ts'
import { replay } from '../../src/core/run/evolve.ts'
import type { AttemptRow } from '../../src/core/run/rows.ts'
import { takeChangedRows } from '../../src/core/run/to-rows.ts'
import type { Store, StoredRun } from '../../src/ports/store.ts'
import { type Command, type Place, until } from './kontroler.ts'

export interface Subject {
  readonly text: string
  readonly dag: string
  /** Attempts that processes make, over the run and its children. */
  readonly attempts: number
}

export interface Figures {
  kills: number
  runs: number
  before: number
  after: number
  resumes: number
  attempts: number
  /** Attempts whose container was made and never started. */
  unstarted: number
}

export const noFigures = (): Figures => ({
  kills: 0,
  runs: 0,
  before: 0,
  after: 0,
  resumes: 0,
  attempts: 0,
  unstarted: 0,
})

export const told = (figures: Figures): string =>
  `${figures.kills} kills of ${figures.runs} runs: ${figures.before} before the run was recorded, ` +
  `${figures.after} after its end, ${figures.resumes} resumes, ${figures.attempts} attempts ran once each` +
  (figures.unstarted === 0 ? '' : `, ${figures.unstarted} were killed before their start`)

/** Where and how the run is killed. */
export interface Ground {
  /** Its processes, its state directory and its database. */
  readonly place: Place
  readonly seed: string
  /** The run takes about this long, and so does a start. */
  readonly lifeMs: number
  /** What of the attempts still runs. */
  leftovers(): readonly unknown[]
  /** Tasks see only what is mounted: the folder with the ledger is. */
  readonly mounts: boolean
}

/** Most kills of one run; then it may go to its end. */
const KILLS_OF_ONE_RUN_MAX = 4

/** Runs it, kills the engine and what resumes it at random moments, lets it end, and looks at everything. */
export async function killedRun(
  ground: Ground,
  subject: Subject,
  number: number,
  figures: Figures,
): Promise<void> {
  const { place, seed, lifeMs } = ground
  const ledger = join(place.folder, 'ledger')
  const lock = join(place.folder, 'lock')
  const file = place.file(
    'dag.yaml',
    withLedger(subject.text.replaceAll('LOCK', lock), ledger, ground.mounts),
  )
  const draw = (name: string): number => chance(`${seed}/${subject.dag}/${number}/${name}`)
  const first = ['run', file, '--dag', subject.dag]
  const kills = 1 + Math.floor(draw('kills') * KILLS_OF_ONE_RUN_MAX)
  for (let kill = 0; kill < kills; kill += 1) {
    const there = await runOf(place)
    const command = place.start(there === null ? first : ['resume', there.id])
    if (there !== null) figures.resumes += 1
    // Some while it starts up, most while the run goes: how long a start takes depends on the machine.
    if (draw(`when ${kill}`) > 0.25) await Promise.race([command.says('\n'), command.over])
    if (!(await killAfter(command, draw(`moment ${kill}`) * lifeMs))) break
    figures.kills += 1
    const now = await runOf(place)
    if (now === null) figures.before += 1
    if (now?.phase === 'succeeded') figures.after += 1
  }
  const left = await runOf(place)
  const last = await place.run(left === null ? first : ['resume', left.id])
  assert.equal(last.code, 0, `life ${number}: ${last.output}`)
  await check(ground, subject, ledger, figures)
}

/** False when it had ended before. */
async function killAfter(command: Command, ms: number): Promise<boolean> {
  await Promise.race([delay(ms), command.over])
  command.child.kill('SIGKILL')
  return (await command.over).signal === 'SIGKILL'
}

/** The run that was asked for; null when it was killed before it was recorded. */
export async function runOf(place: Place): Promise<StoredRun | null> {
  const runs = (await place.runs()).filter(({ parentRun }) => parentRun === null)
  assert.ok(runs.length <= 1, 'a run is never started twice')
  return runs[0] ?? null
}

async function check(ground: Ground, subject: Subject, ledger: string, figures: Figures): Promise<void> {
  const { place } = ground
  const runs = await place.runs()
  const attempts = new Map<string, AttemptRow>()
  await place.read(async store => {
    for (const run of runs) {
      assert.equal(run.phase, 'succeeded')
      for (const row of await attemptsOf(store, run))
        attempts.set(`${run.id}/${row.task}/${row.attempt}`, row)
    }
  })
  // Killed between its claim and its start, a container never runs; a further attempt takes its place.
  for (const [key, { reason }] of attempts) {
    if (reason !== 'START_ERROR') continue
    attempts.delete(key)
    figures.unstarted += 1
  }
  const ended = [...attempts].map(([key, { reason, message }]) => `${key} ${reason} ${message ?? ''}`)
  assert.equal(attempts.size, subject.attempts, ended.join('\n'))
  const expected = [...attempts.keys()].flatMap(key => [`${key} begins`, `${key} ends`])
  const ran = readFileSync(ledger, 'utf8').trimEnd().split('\n')
  assert.deepEqual(sorted(ran), sorted(expected), 'each attempt ran once, and to its end')
  const logs = createFilesystemLogs(place.state)
  for (const [key, { task, attempt }] of attempts) {
    const run = key.slice(0, key.indexOf('/'))
    const text = new TextDecoder().decode(await logs.read({ run, task, attempt }, 0, 10_000))
    assert.ok(text.endsWith('all said\n'), `the log of ${key} is complete: ${text}`)
  }
  await until('nothing of the attempts is left', () => (ground.leftovers().length === 0 ? true : null))
  const workspaces = runs.map(({ id }) => join(place.state, workspacePath(id)))
  assert.deepEqual(workspaces.filter(existsSync), [], 'no workspace is left')
  figures.attempts += attempts.size
}

/** The attempts of a run that were processes, after its rows were held against what its events say. */
async function attemptsOf(store: Store, run: StoredRun): Promise<readonly AttemptRow[]> {
  const events = await store.events(run.id)
  const [first] = events
  assert.ok(first?.type === 'runCreated')
  const dag = await store.dagByHash(first.dagHash)
  assert.ok(dag !== null)
  const rows = takeChangedRows(replay(dag.dag, events))
  const { version, owner: _, ...stored } = run
  assert.deepEqual(stored, rows.run, 'the run is what its events say')
  assert.equal(version, events.length)
  assert.deepEqual(
    (await store.tasks({ run: run.id })).items,
    rows.tasks.toSorted((a, b) => a.index - b.index),
  )
  const found = await store.attempts(run.id)
  assert.deepEqual(byKey(found), byKey(rows.attempts))
  return found.filter(({ task }) => !task.startsWith('sub'))
}

function byKey(rows: readonly AttemptRow[]): readonly AttemptRow[] {
  const key = ({ task, attempt }: AttemptRow): string => `${task}/${attempt}`
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

const sorted = (texts: readonly string[]): readonly string[] => texts.toSorted((a, b) => (a < b ? -1 : 1))

interface DocumentTask {
  script?: string
  podTemplate?: object
}

interface Document {
  readonly spec: { task: DocumentTask[]; finally?: DocumentTask[] }
}

/** Each script tells a file outside of the state directory that it begins and ends. */
export function withLedger(text: string, ledger: string, mounts: boolean): string {
  const documents = parseAllDocuments(text).map(document => document.toJS() as Document)
  const folder = dirname(ledger)
  const podTemplate = {
    volumes: [{ name: 'ledger', hostPath: { path: folder } }],
    volumeMounts: [{ name: 'ledger', mountPath: folder }],
  }
  const tell = (what: string): string => `echo "$KONTROLER_ATTEMPT_ID ${what}" >>"${ledger}"`
  for (const { spec } of documents) {
    for (const task of [...spec.task, ...(spec.finally ?? [])]) {
      if (task.script === undefined) continue
      task.script = `trap '${tell('ends')}; echo all said' EXIT\n${tell('begins')}\n${task.script}\n`
      if (mounts) task.podTemplate = podTemplate
    }
  }
  return documents.map(document => stringify(document, { aliasDuplicateObjects: false })).join('---\n')
}
