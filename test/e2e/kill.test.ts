import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import { createFilesystemLogs } from '../../src/archives/filesystem/logs.ts'
import { chance } from '../../src/core/chance.ts'
import { takeChangedRows } from '../../src/core/run/to-rows.ts'
import { replay } from '../../src/core/run/evolve.ts'
import type { StoredRun } from '../../src/ports/store.ts'
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
const TASKS = 12

test(`${KILLS} kills at random moments (seed ${SEED}): each attempt ran once, and every run ends well`, async t => {
  const figures = { kills: 0, runs: 0, before: 0, after: 0, resumes: 0, attempts: 0 }
  let life = 0
  await inParallel([1, 2], 2, async () => {
    while (figures.kills < KILLS) {
      life += 1
      figures.runs += 1
      await oneRun(t, life, figures)
    }
  })
  assert.ok(figures.kills >= KILLS)
  t.diagnostic(
    `${figures.kills} kills of ${figures.runs} runs: ${figures.before} before the run was recorded, ` +
      `${figures.after} after its end, ${figures.resumes} resumes, ${figures.attempts} attempts ran once each`,
  )
})

async function oneRun(t: TestContext, number: number, figures: Record<string, number>): Promise<void> {
  const place = await Place.make(t)
  const ledger = join(place.folder, 'ledger')
  const file = place.file('release.yaml', withLedger(ledger))
  const draw = (name: string): number => chance(`${SEED}/${number}/${name}`)
  const count = (name: string): void => {
    figures[name] = (figures[name] ?? 0) + 1
  }
  const kills = 1 + Math.floor(draw('kills') * KILLS_OF_ONE_RUN_MAX)
  for (let kill = 0; kill < kills; kill += 1) {
    const there = await runOf(place)
    const command = there === null ? place.start(['run', file]) : place.start(['resume', there.name])
    if (there !== null) count('resumes')
    // Some while it starts up, most while the run goes: how long a start takes depends on the machine.
    if (draw(`when ${kill}`) > 0.25) await Promise.race([command.says('\n'), command.over])
    if (!(await killAfter(command, draw(`moment ${kill}`) * LIFE_MS))) break
    count('kills')
    const now = await runOf(place)
    if (now === null) count('before')
    if (now?.phase === 'succeeded') count('after')
  }
  const left = await runOf(place)
  const last = await place.run(left === null ? ['run', file] : ['resume', left.name])
  assert.equal(last.code, 0, `life ${number}: ${last.output}`)
  await check(place, ledger, figures)
  await place.remove()
}

/** False when it had ended before. */
async function killAfter(command: Command, ms: number): Promise<boolean> {
  await Promise.race([delay(ms), command.over])
  command.child.kill('SIGKILL')
  return (await command.over).signal === 'SIGKILL'
}

async function runOf(place: Place): Promise<StoredRun | null> {
  try {
    readFileSync(join(place.state, 'kontroler.db'))
  } catch {
    return null
  }
  const runs = await place.runs()
  assert.ok(runs.length <= 1, 'a run is never started twice')
  return runs[0] ?? null
}

async function check(place: Place, ledger: string, figures: Record<string, number>): Promise<void> {
  const run = await runOf(place)
  assert.equal(run?.phase, 'succeeded')
  const id = run?.id ?? ''
  const logs = createFilesystemLogs(place.state)
  const attempts = await place.read(async store => {
    const events = await store.events(id)
    const [first] = events
    assert.ok(first?.type === 'runCreated')
    const dag = await store.dagByHash(first.dagHash)
    assert.ok(dag !== null)
    const rows = takeChangedRows(replay(dag.dag, events))
    const { version, owner, ...stored } = run
    assert.deepEqual(stored, rows.run, 'the run is what its events say')
    assert.equal(version, events.length)
    assert.ok(owner === null || typeof owner === 'string')
    assert.deepEqual((await store.tasks({ run: id })).items, byIndex(rows.tasks))
    const found = await store.attempts(id)
    assert.deepEqual(byKey(found), byKey(rows.attempts))
    return found
  })
  assert.equal(attempts.length, TASKS, 'no attempt was lost or made without need')
  const ran = readFileSync(ledger, 'utf8').trimEnd().split('\n')
  const expected = attempts.flatMap(({ task, attempt }) => {
    const key = `${id}/${task}/${attempt}`
    return [`${key} begins`, `${key} ends`]
  })
  assert.deepEqual(ran.toSorted(), expected.toSorted(), 'each attempt ran once, and to its end')
  for (const { task, attempt } of attempts) {
    const text = new TextDecoder().decode(await logs.read({ run: id, task, attempt }, 0, 10_000))
    assert.ok(text.endsWith('all said\n'), `the log of ${task} is complete: ${text}`)
  }
  await until('no process is left', () => (place.tasks().length === 0 ? true : null))
  figures['attempts'] = (figures['attempts'] ?? 0) + attempts.length
}

const byIndex = <T extends { readonly index: number }>(rows: readonly T[]): readonly T[] =>
  rows.toSorted((a, b) => a.index - b.index)

function byKey<T extends { readonly task: string; readonly attempt: number }>(
  rows: readonly T[],
): readonly T[] {
  const key = ({ task, attempt }: T): string => `${task}/${attempt}`
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** The example, each script telling a file outside of the state directory that it begins and ends. */
function withLedger(ledger: string): string {
  const document = parse(readFileSync('examples/release.yaml', 'utf8')) as {
    spec: { task: { script: string }[] }
  }
  for (const task of document.spec.task) {
    const tell = (what: string): string => `echo "$KONTROLER_ATTEMPT_ID ${what}" >>'${ledger}'`
    task.script = `${tell('begins')}\n${task.script}\n${tell('ends')}\necho all said\n`
  }
  return stringify(document)
}
