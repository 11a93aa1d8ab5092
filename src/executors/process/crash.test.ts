import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { attempt, logHolds, logText, Watched } from '../../../test/contracts/executor-harness.ts'
import type { ProcessPlace } from '../../../test/contracts/process-place.ts'
import { processPlace } from '../../../test/contracts/process-place.ts'
import type { AttemptSpec } from '../../ports/executor.ts'
import { eraOf } from '../era.ts'
import { stateIdentity } from '../state-identity.ts'
import { bootId } from './processes.ts'
import { readRecord } from './record.ts'

const ENGINE = fileURLToPath(new URL('../../../test/contracts/executor-engine.ts', import.meta.url))
const LAUNCHER = fileURLToPath(new URL('./launch.sh', import.meta.url))
const ROUNDS = 64

const rule = (says: string, proof: (place: ProcessPlace) => Promise<void>): void => {
  test(says, { timeout: 240_000 }, async () => {
    const place = processPlace()
    try {
      await proof(place)
      assert.deepEqual(place.leftovers(), [])
    } finally {
      await place.remove()
    }
  })
}

rule(
  `an engine killed with kill -9 at ${ROUNDS} moments: each attempt ran once, and its end is true`,
  async place => {
    const round = async (number: number): Promise<void> => {
      const tasks = [0, 1, 2, 3].map(index => ({
        code: (number + index) % 3,
        spec: attempt(place, {
          sh: `echo begin; sleep 0.0${index * 3}; echo a=$$ >> "$KONTROLER_OUTPUT"; echo end; exit ${(number + index) % 3}`,
          outputs: ['a'],
        }),
      }))
      await engineKilledAfter(
        place,
        tasks.map(({ spec }) => spec),
        (number * 80) / ROUNDS,
      )
      const next = new Watched(place)
      for (const { spec, code } of tasks) {
        const outcome = await next.run(spec)
        assert.equal(outcome.exitCode, code, JSON.stringify(outcome))
        assert.deepEqual(Object.keys(outcome.outputs), code === 0 ? ['a'] : [])
        assert.equal(await logText(place, spec), 'begin\nend\n')
      }
      await next.executor.close()
    }
    for (let number = 0; number < ROUNDS; number += 2) await Promise.all([round(number), round(number + 1)])
  },
)

rule('two engines killed one after the other while the same attempts start', async place => {
  for (let number = 0; number < 6; number += 1) {
    const specs = [1, 2, 3, 4].map(() => attempt(place, { sh: 'echo ran; sleep 0.05' }))
    await Promise.all([
      engineKilledAfter(place, specs, number * 5),
      engineKilledAfter(place, specs, number * 7),
    ])
    const next = new Watched(place)
    for (const spec of specs) {
      assert.equal((await next.run(spec)).kind, 'succeeded')
      assert.equal(await logText(place, spec), 'ran\n')
    }
  }
})

rule(
  'a launcher that comes late starts nothing: after the end, after a release, after a stop',
  async place => {
    const watched = new Watched(place)
    const ended = attempt(place, { sh: 'echo ran' })
    await watched.run(ended)
    const released = attempt(place, { sh: 'echo ran' })
    await watched.run(released)
    watched.executor.release(released)
    const revoked = attempt(place, { sh: 'echo ran' })
    watched.executor.stop(revoked, 0)
    await watched.ended(revoked)
    for (const [spec, log] of [
      [ended, 'ran\n'],
      [released, 'ran\n'],
      [revoked, ''],
    ] as const) {
      assert.equal(await lateLauncher(place, spec), '')
      assert.equal(await logText(place, spec), log)
    }
  },
)

rule('a launcher whose run was removed starts nothing', async place => {
  const spec = attempt(place, { sh: 'true' })
  await new Watched(place).run(spec)
  await place.logs.remove(spec.run)
  assert.equal(await lateLauncher(place, spec), '')
})

/** What a dead engine and a dead machine leave behind, each made by hand, and what the next executor makes of it. */
const remains: readonly (readonly [
  says: string,
  files: Record<string, string>,
  ends: string,
  ran: boolean,
])[] = [
  ['only the folder: it is started', {}, 'SUCCEEDED', true],
  ['a record without a word: its writer died before the task began', { record: '' }, 'START_ERROR', false],
  ['half a claim: likewise', { record: 'claim ea37' }, 'START_ERROR', false],
  ['a claim of an earlier boot', { record: claim('earlier', process.pid, '1') }, 'LOST', false],
  ['a claim of a process that has gone', { record: claim(bootId(), 4_194_304, '1') }, 'LOST', false],
  ['a claim whose pid is somebody else’s now', { record: claim(bootId(), process.pid, '1') }, 'LOST', false],
  ['an end that was cut off', { record: `${claim(bootId(), process.pid, '1')}ended 0` }, 'LOST', false],
  ['an end', { record: `${claim(bootId(), process.pid, '1')}ended 0 .\n` }, 'SUCCEEDED', false],
  [
    'an end of an earlier boot',
    { record: `${claim('earlier', process.pid, '1')}ended 3 .\n` },
    'EXIT_CODE',
    false,
  ],
  [
    'an end by a signal',
    { record: `${claim('earlier', 1, '1')}Killed\nended 137 .\n` },
    'KILLED_BY_SIGNAL',
    false,
  ],
  [
    'killed while it was being stopped',
    { record: claim(bootId(), 4_194_304, '1'), stop: 'TERM\nKILL\n' },
    'KILLED_BY_SIGNAL',
    false,
  ],
]
for (const [says, files, reason, ran] of remains) {
  rule(`found: ${says}`, async place => {
    const spec = attempt(place, { sh: 'echo ran' })
    mkdirSync(place.folder(spec), { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(place.folder(spec), name), text)
    const outcome = await new Watched(place).run(spec)
    assert.equal(outcome.reason, reason)
    assert.equal(await logText(place, spec), ran ? 'ran\n' : '')
    assert.deepEqual(await new Watched(place).run(spec), outcome)
  })
}

rule('meant to start under an earlier boot, and nothing is known: it may have begun', async place => {
  for (const record of [null, '', 'claim ea37']) {
    const era = eraOf('process', stateIdentity(place.stateDir), '00000000-0000-0000-0000-000000000000')
    const spec = { ...attempt(place, { sh: 'echo ran' }), era }
    mkdirSync(place.folder(spec), { recursive: true })
    if (record !== null) writeFileSync(join(place.folder(spec), 'record'), record)
    const outcome = await new Watched(place).run(spec)
    assert.equal(outcome.kind, 'lost')
    assert.match(outcome.message ?? '', /machine was restarted/)
    assert.equal(await logText(place, spec), '')
    assert.equal((await new Watched(place).run(spec)).kind, 'lost')
  }
})

rule('a launcher killed alone: what it left is ended before the attempt is reported lost', async place => {
  const watched = new Watched(place)
  for (const sh of ['echo up; while :; do echo tick; sleep 0.01; done', 'setsid sleep 60 & echo up; wait']) {
    const spec = attempt(place, { sh })
    watched.executor.start(spec)
    await logHolds(place, spec, 'up')
    process.kill(pidOf(place, spec), 'SIGKILL')
    assert.equal((await watched.ended(spec)).kind, 'lost')
    assert.deepEqual(place.leftovers(), [])
  }
})

rule('a launcher killed alone, found by the next executor', async place => {
  const first = new Watched(place)
  const spec = attempt(place, { sh: 'echo up; sleep 60' })
  first.executor.start(spec)
  await logHolds(place, spec, 'up')
  await first.executor.close()
  process.kill(pidOf(place, spec), 'SIGKILL')
  const outcome = await new Watched(place).run(spec)
  assert.equal(outcome.kind, 'lost')
  assert.match(outcome.message ?? '', /launcher \(pid \d+\) was killed/)
})

rule('a stop goes on under the next engine', async place => {
  const first = new Watched(place)
  const spec = attempt(place, { sh: 'trap "" TERM; echo up; while :; do sleep 0.02; done' })
  first.executor.start(spec)
  await logHolds(place, spec, 'up')
  first.executor.stop(spec, 600_000)
  await delay(30)
  await first.executor.close()
  const second = new Watched(place)
  second.executor.stop(spec, 50)
  assert.deepEqual((await second.ended(spec)).signal, 'SIGKILL')
})

async function engineKilledAfter(
  place: ProcessPlace,
  specs: readonly AttemptSpec[],
  ms: number,
): Promise<void> {
  const engine = spawn(process.execPath, [ENGINE, place.stateDir, JSON.stringify(specs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(engine.stdout, 'data')
  if (ms > 0) await delay(ms)
  engine.kill('SIGKILL')
  await once(engine, 'exit')
}

/** What is written by the task of a launcher that a dead engine had spawned. */
async function lateLauncher(place: ProcessPlace, spec: AttemptSpec): Promise<string> {
  const own = [LAUNCHER, place.folder(spec), bootId(), '0022', '0', '/usr/bin/env']
  const late = spawn('sh', [...own, '/bin/echo', 'late'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  })
  let said = ''
  late.stdout.on('data', chunk => (said += String(chunk)))
  await once(late, 'close')
  return said
}

function pidOf(place: ProcessPlace, spec: AttemptSpec): number {
  const record = readRecord(place.folder(spec))
  assert.ok(record.kind === 'claimed')
  return record.claim.pid
}

function claim(boot: string, pid: number, started: string): string {
  if (process.platform !== 'linux') return `claim ${boot} ${pid} ps ${started}\n`
  const stat = readFileSync('/proc/self/stat', 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ')
  return `claim ${boot} ${pid} (sh) ${stat.with(19, started).join(' ').trim()}\n`
}
