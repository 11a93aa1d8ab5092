import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openPostgresStore } from '../../../src/stores/postgres/open.ts'
import type { PostgresServer } from './server.ts'
import { freshSchema, withServer } from './with-server.ts'

/** `KONTROLER_LONG=1` does each many times. */
const LONG = process.env['KONTROLER_LONG'] === '1'
const TASKS = 16
const CHILD = join(import.meta.dirname, 'engine-child.ts')
const file = withServer(18)

file.test(
  'an engine paused past its time loses its run to another one, and starts nothing twice when it wakes',
  async server => {
    for (let round = 0; round < (LONG ? 30 : 1); round += 1)
      await withTwo(server, async ({ first, second, run, started }) => {
        await started(1 + (round % (TASKS - 4)))
        first.process.kill('SIGSTOP')
        await second.said(`adopted ${run}`)
        await pause((round * 41) % 300)
        first.process.kill('SIGCONT')
        await second.said(`settled ${run} succeeded`)
      })
  },
)

file.test(
  'an engine that is killed is followed by another one, with nothing lost or doubled',
  async server => {
    for (let round = 0; round < (LONG ? 100 : 1); round += 1)
      await withTwo(server, async ({ first, second, run, started }) => {
        await started(1 + (round % (TASKS - 4)))
        first.process.kill('SIGKILL')
        await second.said(`settled ${run} succeeded`)
      })
  },
)

file.test(
  'a server that is killed in between holds both engines up, and loses them nothing',
  async server => {
    for (let round = 0; round < (LONG ? 20 : 1); round += 1)
      await withTwo(server, async ({ first, second, run, started }) => {
        await started(1 + (round % (TASKS - 4)))
        await server.kill9()
        await pause(200)
        await server.start()
        await Promise.race([first, second].map(one => one.said(`settled ${run} succeeded`)))
      })
  },
)

interface Two {
  readonly first: EngineProcess
  readonly second: EngineProcess
  readonly run: string
  /** Waits until so many tasks have started; the last of all takes a second, so the run is still going then. */
  readonly started: (count: number) => Promise<void>
}

/** One engine with a run, and another one beside it; at the end the run must have been carried out once. */
async function withTwo(server: PostgresServer, body: (two: Two) => Promise<void>): Promise<void> {
  const state = mkdtempSync(join(tmpdir(), 'kontroler-engines-'))
  const url = freshSchema(server)
  const store = await openPostgresStore(url)
  const first = start(url, state, 'host-a', String(TASKS))
  const second = start(url, state, 'host-b')
  try {
    // What happens to the server happens to two engines that are up, not to one that still connects.
    await second.said('open')
    const submitted = await first.said('submitted ')
    const run = submitted.split(' ')[1] ?? ''
    const linesOf = (): readonly string[] => {
      const file = join(state, 'starts')
      return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
    }
    const started = async (count: number): Promise<void> => {
      while (linesOf().length < count) await pause(5)
    }
    await body({ first, second, run, started })
    const starts = linesOf()
    assert.deepEqual(starts.toSorted(), Array.from({ length: TASKS }, (_, index) => `t${index}`).toSorted())
    const attempts = await store.attempts(run)
    assert.equal(attempts.length, TASKS)
    assert.ok(attempts.every(({ phase, outcome }) => phase === 'ended' && outcome === 'succeeded'))
    const events = await store.events(run)
    assert.equal(events.filter(({ type }) => type === 'attemptStarted').length, TASKS)
    assert.deepEqual(await store.poolUse(), new Map())
    assert.equal((await store.run(run))?.version, events.length)
  } finally {
    await Promise.all([first.end(), second.end()])
    await store.close()
    rmSync(state, { recursive: true, force: true })
  }
}

interface EngineProcess {
  readonly process: ChildProcess
  /** Waits for a line that begins so. Fails when the process ends without it. */
  said(start: string): Promise<string>
  end(): Promise<void>
}

function start(...args: readonly string[]): EngineProcess {
  const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  const over = once(child, 'close')
  return {
    process: child,
    async said(wanted) {
      for (;;) {
        const found = text.split('\n').find(line => line.startsWith(wanted))
        if (found !== undefined) return found
        assert.ok(child.exitCode === null && child.signalCode === null, `it ended and said only:\n${text}`)
        await Promise.race([once(child.stdout, 'data'), over])
      }
    },
    async end() {
      child.kill('SIGCONT')
      child.stdin.end()
      await over
    },
  }
}
