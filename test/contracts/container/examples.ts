import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import type { RunEvent } from '../../../src/core/run/events.ts'
import type { Dialect } from '../../../src/executors/container/container-engine.ts'
import { Place } from '../../e2e/kontroler.ts'
import { environmentOf } from './command.ts'
import { notRun } from './contract.ts'
import { type Daemon, startDaemon, whyNoDaemon } from './daemon.ts'

/** `KONTROLER_TEST_ROUNDS` asks for more than what every run of the tests does. */
const EVERYWHERE = process.env['KONTROLER_TEST_ROUNDS'] !== undefined

const files = globSync('examples/*.yaml').toSorted()

/** The examples end in containers as they end in processes, and everything on the way there is the same. */
export function examplesInContainers(dialects: readonly Dialect[]): void {
  const there = dialects.filter(dialect => {
    const why = whyNoDaemon(dialect)
    if (why !== null) notRun(why)
    return why === null
  })
  if (there.length === 0) return
  describe(`examples on processes, ${there.join(', ')}`, { concurrency: 3 }, () => {
    const daemons: Daemon[] = []
    before(async () => {
      for (const dialect of there) daemons.push(await startDaemon(dialect))
    })
    after(() => {
      for (const daemon of daemons)
        assert.equal(daemon.client('ps', '-aq').stdout.trim(), '', 'containers were left behind')
    })
    after(async () => {
      for (const daemon of daemons) await daemon.remove()
    })
    for (const [index, file] of files.entries()) {
      test(basename(file), { timeout: 120_000 }, async t => {
        const expected = await storyOf(t, file, { KONTROLER_EXECUTOR: 'process' })
        // Each on one of them, all on all where more is asked for.
        for (const daemon of EVERYWHERE ? daemons : [daemons[index % daemons.length]]) {
          if (daemon === undefined) continue
          const { output, story } = await storyOf(t, file, environmentOf(daemon))
          assert.match(output, /tasks run in containers of (Docker|Podman)/)
          assert.deepEqual(story, expected.story, output)
        }
      })
    }
  })
}

/** Runs an example as its comments say, and gives what became of it without names, ids and times. */
async function storyOf(
  t: TestContext,
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly output: string; readonly story: readonly string[] }> {
  const place = await Place.make(t)
  const says = (name: string): readonly string[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter(line => line.startsWith(`# ${name}: `))
      .map(line => line.slice(name.length + 4).trim())
  const more = says('with').flatMap(words)
  const command = place.start(['run', resolve(file), ...more], { cwd: resolve('.'), env })
  for (const [task, ...form] of says('approve').map(words)) {
    await command.says('kontroler approve')
    await place.run(['approve', '@last', task ?? '', ...form])
  }
  const { output } = await command.over
  const runs = await place.runs()
  const stories = await place.read(store =>
    Promise.all(runs.map(async ({ id, dag }) => ({ dag, events: await store.events(id) }))),
  )
  return { output, story: stories.flatMap(({ dag, events }) => plain(dag, events)).toSorted() }
}

const words = (text: string): readonly string[] => text.split(/\s+/)

/**
 * One line for each task and one for the run, with what happened to it in order. Between tasks that do not wait for each
 * other the order is chance on every executor, and so is whether a task that is stopped was seen to run.
 */
function plain(dag: string, events: readonly RunEvent[]): readonly string[] {
  const lines = new Map<string, string[]>()
  const add = (about: string, what: string): void =>
    void lines.set(about, [...(lines.get(about) ?? []), what])
  for (const event of events) {
    switch (event.type) {
      case 'tasksReady':
        for (const task of event.tasks) add(task, 'ready')
        break
      case 'tasksSettled':
        for (const task of event.tasks) add(task, `${event.state} ${event.reason}`)
        break
      case 'attemptEnded': {
        const { kind, reason, outputs } = event.outcome
        add(event.task, `ended ${kind} ${reason} ${JSON.stringify(outputs)} ${event.next.kind}`)
        break
      }
      case 'attemptRunning':
        break
      default:
        add(
          'task' in event ? event.task : 'run',
          event.type === 'runSettled' ? `runSettled ${event.phase}` : event.type,
        )
    }
  }
  return [...lines].map(([about, what]) => `${dag}/${about}: ${what.join(', ')}`)
}
