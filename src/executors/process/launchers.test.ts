import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { attempt, logHolds, logText, Watched } from '../../../test/contracts/executor-harness.ts'
import { type ProcessPlace, processPlace } from '../../../test/contracts/process-place.ts'
import type { AttemptSpec } from '../../ports/executor.ts'
import { LAUNCHER, prepare } from './launch.ts'
import { commandText } from './launchers.ts'
import { bootId, pids } from './processes.ts'
import { readRecord } from './record.ts'

const ENGINE = fileURLToPath(new URL('../../../test/contracts/executor-engine.ts', import.meta.url))

/** Launchers that run several attempts are for Linux; elsewhere each attempt has its own. */
const rule = (
  says: string,
  proof: (place: ProcessPlace) => Promise<void>,
  shell?: readonly string[],
): void => {
  test(says, { timeout: 120_000, skip: process.platform !== 'linux' }, async () => {
    const place = processPlace(shell)
    try {
      await proof(place)
      assert.deepEqual(place.leftovers(), [])
    } finally {
      await place.remove()
    }
  })
}

rule('attempts one after the other have one launcher', async place => {
  const watched = new Watched(place)
  const seen = new Set<number>()
  for (let round = 0; round < 30; round += 1) {
    const spec = attempt(place, { sh: 'echo ran' })
    assert.equal((await watched.run(spec)).kind, 'succeeded')
    assert.equal(await logText(place, spec), 'ran\n')
    seen.add(launcherOf(place, spec))
  }
  // Another one takes over when the numbers of processes begin again.
  assert.ok(seen.size <= 3, `${seen.size} launchers`)
})

rule('what a task leaves running ends with its launcher', async place => {
  const watched = new Watched(place)
  const seen = new Set<number>()
  for (const sh of ['sleep 600 &', '(sleep 600 &) & sleep 0.05', 'sleep 600 & sleep 0.3']) {
    const spec = attempt(place, { sh: `${sh} echo left; exit 4` })
    assert.equal((await watched.run(spec)).exitCode, 4)
    // They have got their KILL by now; the kernel may take a moment to carry it out.
    for (let wait = 0; wait < 200 && place.leftovers().length > 0; wait += 1) await delay(10)
    assert.deepEqual(place.leftovers(), [])
    seen.add(launcherOf(place, spec))
  }
  assert.equal(seen.size, 3)
})

rule('a launcher that died before it was given an attempt loses nothing', async place => {
  const watched = new Watched(place)
  for (let round = 0; round < 10; round += 1) {
    const first = attempt(place, { sh: 'echo first' })
    await watched.run(first)
    process.kill(launcherOf(place, first), 'SIGKILL')
    if (round % 2 === 1) await delay(5)
    const second = attempt(place, { sh: 'echo second' })
    assert.equal((await watched.run(second)).kind, 'succeeded')
    assert.equal(await logText(place, second), 'second\n')
  }
})

rule('a task that removes its own folder is not started again', async place => {
  const watched = new Watched(place)
  const mark = `${place.workdir}/mark`
  for (const then of ['', 'kill -9 $PPID; sleep 0.05']) {
    const spec = attempt(place, { sh: `echo ran >> ${mark}; rm -rf "\${KONTROLER_OUTPUT%/*}"; ${then}` })
    assert.notEqual((await watched.run(spec)).kind, 'succeeded')
  }
  assert.equal(readFileSync(mark, 'utf8'), 'ran\nran\n')
})

rule('an engine killed with kill -9 leaves no launcher, but the task that runs', async place => {
  const quick = [1, 2, 3].map(() => attempt(place, { sh: 'echo ran' }))
  const long = attempt(place, { sh: 'echo up; sleep 0.5; echo on' })
  const engine = spawn(process.execPath, [ENGINE, place.stateDir, JSON.stringify([...quick, long])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await logHolds(place, long, 'up')
  for (const spec of quick) while (!hasEnded(place, spec)) await delay(5)
  const launchers = childrenOf(engine.pid ?? 0)
  assert.ok(launchers.includes(launcherOf(place, long)))
  engine.kill('SIGKILL')
  await once(engine, 'exit')
  const idle = launchers.filter(pid => pid !== launcherOf(place, long))
  while (idle.some(pid => existsSync(`/proc/${pid}`))) await delay(5)
  assert.equal((await new Watched(place).run(long)).kind, 'succeeded')
  assert.equal(await logText(place, long), 'up\non\n')
  while (launchers.some(pid => existsSync(`/proc/${pid}`))) await delay(5)
})

rule('nothing of an attempt is among the arguments or the environment of its launcher', async place => {
  const watched = new Watched(place)
  const env = [{ name: 'TOKEN', value: 's3cret-value' }]
  const spec = { ...attempt(place, { sh: 'echo up; sleep 60', env }), secretNames: ['TOKEN'] }
  watched.executor.start(spec)
  await logHolds(place, spec, 'up')
  for (const pid of pids())
    assert.ok(!read(`/proc/${pid}/cmdline`).includes('s3cret-value'), read(`/proc/${pid}/cmdline`))
  const launcher = launcherOf(place, spec)
  assert.equal(read(`/proc/${launcher}/cmdline`).split('\0')[1], '-s')
  assert.doesNotMatch(read(`/proc/${launcher}/environ`), /TOKEN|KONTROLER/u)
  watched.executor.stop(spec, 0)
  await watched.ended(spec)
})

rule('a command that was cut off starts nothing, wherever it was cut', async place => {
  const spec = attempt(place, { work: { command: ['/bin/echo', 'ran', "it's", 'so'] }, outputs: ['a'] })
  const place_ = { state: place.stateDir, boot: bootId(), shell: ['/bin/sh'], umask: '0022' }
  const launch = prepare(spec, place.folder(spec), place_)
  assert.ok('argv' in launch)
  const text = commandText(launch, {})
  for (let length = 0; length < text.length - 1; length += length < text.length - 20 ? 7 : 1) {
    const input = `. '${LAUNCHER}'\n${text.slice(0, length)}`
    const shell = spawn('/bin/sh', ['-s', bootId(), '0022'], { cwd: '/', detached: true })
    shell.stdin.end(input)
    await once(shell, 'exit')
    assert.equal(readRecord(place.folder(spec)).kind, 'none', text.slice(0, length))
  }
  assert.equal((await new Watched(place).run(spec)).kind, 'succeeded')
  assert.equal(await logText(place, spec), "ran it's so\n")
})

const shells = [['dash'], ['bash'], ['busybox', 'sh'], ['mksh']].filter(
  ([command = '', ...args]) => spawnSync(command, [...args, '-c', 'exit 0']).status === 0,
)
for (const shell of shells) {
  rule(
    `every character arrives in arguments and variables, by way of ${shell.join(' ')}`,
    async place => {
      const text = Array.from({ length: 0x900 }, (_, index) => String.fromCodePoint(index + 1)).join('')
      const rest = `${text}\u{2028}\u{fffd}\u{1f600}\\\\ $(x) \`x\` "'" \n\n`
      const command = ['sh', '-c', 'printf %s "$1$A"', 'sh', rest]
      const spec = attempt(place, { work: { command }, env: [{ name: 'A', value: rest }] })
      assert.equal((await new Watched(place).run(spec)).kind, 'succeeded')
      assert.ok((await logText(place, spec)) === rest + rest)
    },
    shell,
  )
}

function launcherOf(place: ProcessPlace, spec: AttemptSpec): number {
  const record = readRecord(place.folder(spec))
  assert.ok(record.kind === 'claimed')
  return record.claim.pid
}

function hasEnded(place: ProcessPlace, spec: AttemptSpec): boolean {
  const record = readRecord(place.folder(spec))
  return record.kind === 'claimed' && record.end !== null
}

function childrenOf(parent: number): number[] {
  return pids().filter(
    pid =>
      Number(
        read(`/proc/${pid}/stat`)
          .replace(/^.*\) . /su, '')
          .split(' ')[0],
      ) === parent,
  )
}

/** Empty for what has gone. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
