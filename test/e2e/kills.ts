import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseAllDocuments, stringify } from 'yaml'
import { chance } from '../../src/core/chance.ts'
import { workspacePath } from '../../src/core/run/attempt-path.ts'
import type { StoredRun } from '../../src/ports/store.ts'
import { type EndedRun, endedRun, sorted } from './ended-run.ts'
import { type Command, type Place, until } from './kontroler.ts'

export interface Subject {
  readonly text: string
  readonly dag: string
}

export interface Figures {
  kills: number
  runs: number
  before: number
  amid: number
  between: number
  after: number
  resumes: number
  attempts: number
  neverBegan: number
}

export const noFigures = (): Figures => ({
  kills: 0,
  runs: 0,
  before: 0,
  amid: 0,
  between: 0,
  after: 0,
  resumes: 0,
  attempts: 0,
  neverBegan: 0,
})

export const told = (figures: Figures): string =>
  `${figures.kills} kills of ${figures.runs} runs: ${figures.before} before the run was recorded, ` +
  `${figures.amid} with attempts under way, ${figures.between} with none, ${figures.after} after its end; ` +
  `${figures.resumes} resumes, ${figures.attempts} attempts ran once each, ${figures.neverBegan} never began`

/** Where and how the run is killed. */
export interface Ground {
  /** Its processes, its state directory and its database. */
  readonly place: Place
  readonly seed: string
  /** What of the attempts still runs, or is kept. */
  leftovers(): readonly unknown[]
  /**
   * Tasks run in containers. They see only what is mounted: the folder with the ledger is. Who dies between its claim
   * of an attempt and the start leaves one that never began, and another attempt is made for it.
   */
  readonly containers: boolean
}

/** Most kills of one run; then it may go to its end. */
const KILLS_OF_ONE_RUN_MAX = 4

/** A run that nobody disturbed. */
export interface Undisturbed {
  readonly result: EndedRun['result']
  /** From the command line to its end, on this machine as it is now. */
  readonly lifeMs: number
}

/** What the run comes to when nobody kills anything. */
export async function undisturbed(ground: Ground, subject: Subject): Promise<Undisturbed> {
  const { first, ledger } = prepared(ground, subject)
  const began = performance.now()
  const { code, output } = await ground.place.run(first)
  const lifeMs = performance.now() - began
  assert.equal(code, 0, output)
  const { result, neverBegan } = await check(ground, ledger)
  assert.deepEqual(neverBegan, [])
  return { result, lifeMs }
}

/**
 * Runs it, kills the engine and what resumes it at random moments, lets it end, and looks at everything.
 *
 * @param peaceful  What {@link undisturbed} told: what it must come to, and the time over which kills are spread.
 * @param killsMax  Of all runs together, as `figures` counts them.
 */
export async function killedRun(
  ground: Ground,
  subject: Subject,
  peaceful: Undisturbed,
  figures: Figures,
  killsMax: number,
): Promise<void> {
  const { place, seed } = ground
  const number = (figures.runs += 1)
  const { first, ledger } = prepared(ground, subject)
  const draw = (name: string): number => chance(`${seed}/${subject.dag}/${number}/${name}`)
  const kills = 1 + Math.floor(draw('kills') * KILLS_OF_ONE_RUN_MAX)
  for (let kill = 0; kill < kills && figures.kills < killsMax; kill += 1) {
    const there = await runOf(place)
    const command = place.start(there === null ? first : ['resume', there.id])
    if (there !== null) figures.resumes += 1
    // Some while it starts up, most while the run goes: how long a start takes depends on the machine.
    if (draw(`when ${kill}`) > 0.25) await Promise.race([command.says('\n'), command.over])
    if (!(await killAfter(command, draw(`moment ${kill}`) * peaceful.lifeMs))) break
    figures.kills += 1
    figures[await found(place)] += 1
  }
  const left = await runOf(place)
  const last = await place.run(left === null ? first : ['resume', left.id])
  assert.equal(last.code, 0, `life ${number}: ${last.output}`)
  const ended = await check(ground, ledger)
  assert.deepEqual(ended.result, peaceful.result, 'the run came to the same as one that nobody killed')
  if (!ground.containers) assert.deepEqual(ended.neverBegan, [])
  figures.attempts += ended.ran.length
  figures.neverBegan += ended.neverBegan.length
}

function prepared(
  { place, containers }: Ground,
  subject: Subject,
): { readonly first: readonly string[]; readonly ledger: string } {
  const ledger = join(place.folder, 'ledger')
  const text = subject.text.replaceAll('LOCK', join(place.folder, 'lock'))
  const file = place.file('dag.yaml', withLedger(text, ledger, containers))
  return { first: ['run', file, '--dag', subject.dag], ledger }
}

/** False when it had ended before. */
async function killAfter(command: Command, ms: number): Promise<boolean> {
  await Promise.race([delay(ms), command.over])
  command.child.kill('SIGKILL')
  return (await command.over).signal === 'SIGKILL'
}

/** How far the run had come when its engine was killed. */
async function found(place: Place): Promise<'before' | 'amid' | 'after' | 'between'> {
  const run = await runOf(place)
  if (run === null) return 'before'
  if (run.phase === 'succeeded') return 'after'
  const attempts = await place.read(store => store.attempts(run.id))
  return attempts.some(({ phase }) => phase !== 'ended') ? 'amid' : 'between'
}

/** The run that was asked for; null when it was killed before it was recorded. */
export async function runOf(place: Place): Promise<StoredRun | null> {
  const runs = (await place.runs()).filter(({ parentRun }) => parentRun === null)
  assert.ok(runs.length <= 1, 'a run is never started twice')
  return runs[0] ?? null
}

/** None doubled, none lost, nothing left over. */
async function check(ground: Ground, ledger: string): Promise<EndedRun> {
  const { place } = ground
  const ended = await endedRun(place)
  const expected = ended.ran.flatMap(key => [`${key} begins`, `${key} ends`])
  const ran = readFileSync(ledger, 'utf8').trimEnd().split('\n')
  assert.deepEqual(sorted(ran), sorted(expected), 'each attempt ran once, and to its end')
  await until('nothing of the attempts is left', () => (ground.leftovers().length === 0 ? true : null))
  const workspaces = ended.runs.map(({ id }) => join(place.state, workspacePath(id)))
  assert.deepEqual(workspaces.filter(existsSync), [], 'no workspace is left')
  return ended
}

interface DocumentTask {
  script?: string
  podTemplate?: object
}

interface Document {
  readonly spec: { task: DocumentTask[]; finally?: DocumentTask[] }
}

/**
 * Each script tells a file outside of the state directory that it begins and ends, and says so much that its log is in
 * several pieces.
 */
export function withLedger(text: string, ledger: string, containers: boolean): string {
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
      const end = `seq 201 400; ${tell('ends')}; echo all said`
      task.script = `trap '${end}' EXIT\n${tell('begins')}\nseq 1 200\n${task.script}\n`
      if (containers) task.podTemplate = podTemplate
    }
  }
  return documents.map(document => stringify(document, { aliasDuplicateObjects: false })).join('---\n')
}
