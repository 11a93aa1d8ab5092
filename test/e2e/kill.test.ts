import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { parseAllDocuments, stringify } from 'yaml'
import { createFilesystemLogs } from '../../src/archives/filesystem/logs.ts'
import { chance } from '../../src/core/chance.ts'
import { workspacePath } from '../../src/core/run/attempt-path.ts'
import { replay } from '../../src/core/run/evolve.ts'
import type { AttemptRow } from '../../src/core/run/rows.ts'
import { takeChangedRows } from '../../src/core/run/to-rows.ts'
import type { Store, StoredRun } from '../../src/ports/store.ts'
import { type Command, Place, inParallel, until } from './kontroler.ts'

/**
 * `kill -9` of the engine at random moments, of a run and of what resumes it. `KONTROLER_KILLS=200` for more of them,
 * `KONTROLER_SEED` for other moments.
 */
const KILLS = Number(process.env['KONTROLER_KILLS'] ?? 25)
const SEED = process.env['KONTROLER_SEED'] ?? 'kill'
/** The run takes about this long, and so does a start. */
const LIFE_MS = 1_000
/** Most kills of one run; then it may go to its end. */
const KILLS_OF_ONE_RUN_MAX = 4

interface Subject {
  readonly text: string
  readonly dag: string
  /** Attempts that processes make, over the run and its children. */
  readonly attempts: number
}

interface Figures {
  kills: number
  runs: number
  before: number
  after: number
  resumes: number
  attempts: number
}

/** Twelve tasks, as the example has them. */
const RELEASE: Subject = { text: readFileSync('examples/release.yaml', 'utf8'), dag: 'release', attempts: 12 }

/** A retry, a lock, children, a workspace, a daemon that is left behind, and something under finally. */
const RICH: Subject = {
  dag: 'rich',
  attempts: 10,
  text: `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: child}
spec:
  task:
    - {name: work, image: busybox, script: 'sleep 0.05'}
---
apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: rich}
spec:
  workspace: {enable: true, pvc: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
  task:
    - name: prepare
      image: busybox
      script: |
        echo here >"$KONTROLER_WORKSPACE/file"
        setsid sh -c 'sleep 300' >/dev/null 2>&1 &
    - name: flaky
      image: busybox
      runAfter: [prepare]
      backoff: {limit: 2, delay: 50ms}
      script: '[ "$KONTROLER_ATTEMPT" -ge 2 ] || exit 75'
    - name: part
      image: busybox
      runAfter: [prepare]
      forEach: [1, 2, 3]
      pool: lock
      script: 'mkdir LOCK || exit 9; sleep 0.05; rmdir LOCK'
    - {name: sub, runAfter: [prepare], forEach: [x, y], dag: {name: child}}
    - {name: join, image: busybox, runAfter: [flaky, part, sub], script: 'grep here "$KONTROLER_WORKSPACE/file"'}
  finally:
    - {name: tidy, image: busybox, script: 'test -e "$KONTROLER_WORKSPACE/file"'}
`,
}

for (const [name, subject, kills] of [
  ['a run of 12 tasks', RELEASE, KILLS],
  [
    'a run with retries, children, a lock, a workspace and a daemon',
    RICH,
    Math.min(25, Math.ceil(KILLS / 3)),
  ],
] as const) {
  test(`${name}, killed ${kills} times at random moments (seed ${SEED}): each attempt ran once, and all ends well`, async t => {
    const figures: Figures = { kills: 0, runs: 0, before: 0, after: 0, resumes: 0, attempts: 0 }
    await inParallel([1, 2], 2, async () => {
      while (figures.kills < kills) {
        figures.runs += 1
        await oneRun(t, subject, figures.runs, figures)
      }
    })
    t.diagnostic(
      `${figures.kills} kills of ${figures.runs} runs: ${figures.before} before the run was recorded, ` +
        `${figures.after} after its end, ${figures.resumes} resumes, ${figures.attempts} attempts ran once each`,
    )
  })
}

test(`a run that gets SIGTERM at random moments (seed ${SEED}) is cancelled cleanly, has ended, or never was`, async t => {
  const seen = new Map<string, number>()
  await inParallel(
    Array.from({ length: Math.min(20, Math.ceil(KILLS / 2)) }, (_, number) => number),
    2,
    async number => {
      const place = await Place.make(t)
      const file = place.file('dag.yaml', withLedger(RELEASE.text, join(place.folder, 'ledger')))
      const command = place.start(['run', file, '--grace', '2s'])
      await delay(chance(`${SEED}/term/${number}`) * 2 * LIFE_MS)
      command.child.kill('SIGTERM')
      const { code, signal, output } = await command.over
      const run = await runOf(place)
      const what = run?.phase ?? 'not recorded'
      seen.set(what, (seen.get(what) ?? 0) + 1)
      // Before the run is known, a signal simply ends the process.
      const expected = new Map<string, number | null>([
        ['succeeded', 0],
        ['cancelled', 3],
        ['not recorded', null],
      ])
      assert.equal(code, expected.get(what), `${what}, ${signal}: ${output}`)
      assert.deepEqual(place.tasks(), [])
      // Killed while it started, it left its name, which the next engine forgets.
      if (run !== null) assert.deepEqual(await place.read(store => store.engines()), [], 'it has signed off')
      await place.remove()
    },
  )
  t.diagnostic([...seen].map(([what, count]) => `${count} ${what}`).join(', '))
})

test('a signal that comes while the process of a run that succeeded ends changes nothing', async t => {
  const place = await Place.make(t)
  const file = place.file('dag.yaml', RELEASE.text)
  for (let number = 0; number < 12; number += 1) {
    const command = place.start(['run', file])
    await command.says('succeeded after')
    await delay(number * 2)
    command.child.kill('SIGTERM')
    const { code, signal } = await command.over
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `${number * 2} ms after its last words`)
  }
})

async function oneRun(t: TestContext, subject: Subject, number: number, figures: Figures): Promise<void> {
  const place = await Place.make(t)
  const ledger = join(place.folder, 'ledger')
  const lock = join(place.folder, 'lock')
  const file = place.file('dag.yaml', withLedger(subject.text.replaceAll('LOCK', lock), ledger))
  const draw = (name: string): number => chance(`${SEED}/${subject.dag}/${number}/${name}`)
  const first = ['run', file, '--dag', subject.dag]
  const kills = 1 + Math.floor(draw('kills') * KILLS_OF_ONE_RUN_MAX)
  for (let kill = 0; kill < kills; kill += 1) {
    const there = await runOf(place)
    const command = place.start(there === null ? first : ['resume', there.id])
    if (there !== null) figures.resumes += 1
    // Some while it starts up, most while the run goes: how long a start takes depends on the machine.
    if (draw(`when ${kill}`) > 0.25) await Promise.race([command.says('\n'), command.over])
    if (!(await killAfter(command, draw(`moment ${kill}`) * LIFE_MS))) break
    figures.kills += 1
    const now = await runOf(place)
    if (now === null) figures.before += 1
    if (now?.phase === 'succeeded') figures.after += 1
  }
  const left = await runOf(place)
  const last = await place.run(left === null ? first : ['resume', left.id])
  assert.equal(last.code, 0, `life ${number}: ${last.output}`)
  await check(place, subject, ledger, figures)
  await place.remove()
}

/** False when it had ended before. */
async function killAfter(command: Command, ms: number): Promise<boolean> {
  await Promise.race([delay(ms), command.over])
  command.child.kill('SIGKILL')
  return (await command.over).signal === 'SIGKILL'
}

/** The run that was asked for; null when it was killed before it was recorded. */
async function runOf(place: Place): Promise<StoredRun | null> {
  const runs = (await place.runs()).filter(({ parentRun }) => parentRun === null)
  assert.ok(runs.length <= 1, 'a run is never started twice')
  return runs[0] ?? null
}

async function check(place: Place, subject: Subject, ledger: string, figures: Figures): Promise<void> {
  const runs = await place.runs()
  const attempts = new Map<string, AttemptRow>()
  await place.read(async store => {
    for (const run of runs) {
      assert.equal(run.phase, 'succeeded')
      for (const row of await attemptsOf(store, run))
        attempts.set(`${run.id}/${row.task}/${row.attempt}`, row)
    }
  })
  assert.equal(attempts.size, subject.attempts, [...attempts.keys()].join('\n'))
  const expected = [...attempts.keys()].flatMap(key => [`${key} begins`, `${key} ends`])
  const ran = readFileSync(ledger, 'utf8').trimEnd().split('\n')
  assert.deepEqual(sorted(ran), sorted(expected), 'each attempt ran once, and to its end')
  const logs = createFilesystemLogs(place.state)
  for (const [key, { task, attempt }] of attempts) {
    const run = key.slice(0, key.indexOf('/'))
    const text = new TextDecoder().decode(await logs.read({ run, task, attempt }, 0, 10_000))
    assert.ok(text.endsWith('all said\n'), `the log of ${key} is complete: ${text}`)
  }
  await until('no process is left', () => (place.tasks().length === 0 ? true : null))
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

interface Document {
  readonly spec: { task: { script?: string }[]; finally?: { script?: string }[] }
}

/** Each script tells a file outside of the state directory that it begins and ends. */
function withLedger(text: string, ledger: string): string {
  const documents = parseAllDocuments(text).map(document => document.toJS() as Document)
  const tell = (what: string): string => `echo "$KONTROLER_ATTEMPT_ID ${what}" >>"${ledger}"`
  for (const { spec } of documents) {
    for (const task of [...spec.task, ...(spec.finally ?? [])]) {
      if (task.script === undefined) continue
      task.script = `trap '${tell('ends')}; echo all said' EXIT\n${tell('begins')}\n${task.script}\n`
    }
  }
  return documents.map(document => stringify(document)).join('---\n')
}
