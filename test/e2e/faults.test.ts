import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, describe, test } from 'node:test'
import { createFilesystemLogs } from '../../src/archives/filesystem/logs.ts'
import { type Ended, Place, dagText, until } from './kontroler.ts'

/** A DAG of one task with this script. */
const one = (script: string, more = ''): string =>
  dagText('one', `    - name: t\n      image: busybox\n${more}      script: |\n${indent(script)}\n`)
const indent = (text: string): string => text.replaceAll(/^/gm, '        ')
/** A task that says `ready` in its log once it runs, so that a test acts when it has come that far. */
const STAYS = 'echo ready; while :; do sleep 0.05; done'

function refused({ code, output }: Ended, problem: string, exit: number): void {
  assert.equal(code, exit, output)
  assert.match(output, new RegExp(problem))
  assertNoStack(output)
}

function assertNoStack(output: string): void {
  assert.doesNotMatch(output, /^\s+at .*\.(ts|js):\d+/m)
  assert.doesNotMatch(output, /node:internal/)
}

describe('bad input: one sentence with a code, exit 2, and no run', { concurrency: 2 }, () => {
  const bomb = `a: &a [x,x]\n${Array.from({ length: 20 }, (_, n) => `b${n}: &b${n} [*${n === 0 ? 'a' : `b${n - 1}`},*${n === 0 ? 'a' : `b${n - 1}`}]`).join('\n')}\n`
  const cases: readonly (readonly [name: string, text: string, problem: string])[] = [
    ['a file of 5 MB', 'x'.repeat(5_000_000), 'FILE_TOO_LARGE'],
    ['a bomb of aliases', bomb, 'error '],
    ['an unknown field', dagText('d', '    - {name: t, image: b, comand: [x]}\n'), 'command'],
    [
      'a cycle',
      dagText(
        'd',
        '    - {name: t, image: b, command: [x], runAfter: [u]}\n    - {name: u, image: b, command: [x], runAfter: [t]}\n',
      ),
      'DAG_CYCLE.*t → u → t',
    ],
    ['no YAML', '\u0000\u0001\u0002', 'error '],
  ]
  for (const [name, text, problem] of cases) {
    test(name, async t => {
      const place = await Place.make(t)
      refused(await place.run(['run', place.file('bad.yaml', text)]), problem, 2)
      assert.deepEqual(await place.runs(), [])
    })
  }
  test('no such file, and one that may not be read', async t => {
    const place = await Place.make(t)
    refused(await place.run(['run', 'nowhere.yaml']), 'FILE_UNREADABLE', 2)
    if (process.getuid?.() === 0) return
    const file = place.file('secret.yaml', one('echo'))
    chmodSync(file, 0)
    refused(await place.run(['run', file]), 'FILE_UNREADABLE', 2)
  })
})

describe('a task that cannot run or ends badly fails its run, with the reason', { concurrency: 2 }, () => {
  const task = (fields: string): string => dagText('one', `    - {name: t, image: b, ${fields}}\n`)
  const cases: readonly (readonly [name: string, text: string, says: RegExp])[] = [
    ['a secret that is not there', secretDag(), /there is no Secret nope/],
    ['a command that is not there', task('command: [no-such-command]'), /"no-such-command" not found/],
    ['a file without permission', task('command: [./file]'), /"\.\/file" cannot be executed/],
    [
      'an interpreter that is not there',
      one('#!/no/such/interpreter\necho'),
      /names "\/no\/such\/interpreter"/,
    ],
    ['an end by a signal', one('kill -SEGV $$'), /SIGSEGV/],
    ['an exit code', one('exit 77'), /exited with code 77/],
  ]
  for (const [name, text, says] of cases) {
    test(name, async t => {
      const place = await Place.make(t)
      place.file('file', 'echo')
      const { code, output } = await place.run(['run', place.file('dag.yaml', text)])
      assert.equal(code, 1, output)
      assert.match(output, says)
      assertNoStack(output)
      assert.equal((await place.runs())[0]?.phase, 'failed')
    })
  }
})

describe('output', { concurrency: 2 }, () => {
  test('100 MB without a line break: stored byte by byte, memory stays flat, the end is short', async t => {
    const place = await Place.make(t)
    const script = "head -c 100000000 /dev/zero | tr '\\0' x\nexit 1"
    const run = place.start(['run', place.file('dag.yaml', one(script))])
    let peakKib = 0
    const watching = setInterval(() => {
      try {
        const status = readFileSync(`/proc/${run.pid}/status`, 'utf8')
        peakKib = Math.max(peakKib, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0))
      } catch {
        // It has ended.
      }
    }, 20)
    const { code, output } = await run.over
    clearInterval(watching)
    assert.equal(code, 1)
    assert.ok(output.length < 5_000, `${output.length} characters shown`)
    assert.ok(peakKib > 0 && peakKib < 250_000, `${peakKib} KiB`)
    const [found] = await place.runs()
    const size = await createFilesystemLogs(place.state).size({ run: found?.id ?? '', task: 't', attempt: 1 })
    assert.equal(size, 100_000_000)
  })

  test('bytes that are no text are stored as they are, and shown without harm', async t => {
    const place = await Place.make(t)
    const script = "printf '\\377\\376\\000\\033[2J\\033]0;title\\007\\r\\n'\nexit 1"
    const { output } = await place.run(['run', place.file('dag.yaml', one(script))])
    assert.doesNotMatch(output, /[\u0000\u0007\u001b]/)
    const [found] = await place.runs()
    const ref = { run: found?.id ?? '', task: 't', attempt: 1 }
    const bytes = Buffer.from(await createFilesystemLogs(place.state).read(ref, 0, 100))
    assert.equal(bytes.toString('latin1'), '\u00ff\u00fe\u0000\u001b[2J\u001b]0;title\u0007\r\n')
  })

  test('a reader that leaves early ends what it read, not the run', async t => {
    const place = await Place.make(t)
    const file = place.file('dag.yaml', one('sleep 0.3\necho late'))
    const kontroler = `"${process.execPath}" "${join(process.cwd(), 'bin/kontroler.js')}" --state "${place.state}" run "${file}"`
    const shell = spawnSync('sh', ['-c', `(${kontroler}; echo "code $?" >&2) | head -1`], {
      encoding: 'utf8',
    })
    assert.match(shell.stderr, /code 0/)
    assertNoStack(shell.stderr)
    assert.equal((await place.runs())[0]?.phase, 'succeeded')
  })

  test('with no input and no output at all, the run goes its way', async t => {
    const place = await Place.make(t)
    const file = place.file('dag.yaml', one('cat; echo done'))
    const kontroler = `"${process.execPath}" "${join(process.cwd(), 'bin/kontroler.js')}" --state "${place.state}" run "${file}"`
    const { status } = spawnSync('sh', ['-c', `${kontroler} <&- >&- 2>&-`])
    assert.equal(status, 0)
    assert.equal((await place.run(['run', file], { stdio: 'closed input' })).code, 0)
    assert.ok((await place.runs()).every(({ phase }) => phase === 'succeeded'))
  })
})

describe('signals', { concurrency: 2 }, () => {
  const finallyText = (script: string): string =>
    `${one(script)}  finally:\n    - {name: tidy, image: busybox, script: echo tidied}\n`

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    test(`${signal}: tasks get TERM, finally runs, exit 3`, async t => {
      const place = await Place.make(t)
      const script = `trap 'echo got TERM >"${place.folder}/term"; exit 1' TERM\n${STAYS}`
      const run = place.start(['run', place.file('dag.yaml', finallyText(script))])
      await ready(place)
      run.child.kill(signal)
      const { code, output } = await run.over
      assert.equal(code, 3, output)
      assert.match(output, /tidy succeeded/)
      assert.equal(readFileSync(join(place.folder, 'term'), 'utf8'), 'got TERM\n')
      assert.deepEqual(place.tasks(), [])
    })
  }

  test('Ctrl-C twice: what ignores TERM is killed with all it started, at once', async t => {
    const place = await Place.make(t)
    const script = `trap '' TERM\n(trap '' TERM; sleep 300) &\nsetsid sh -c "trap '' TERM; sleep 301" &\n${STAYS}`
    const run = place.start(['run', place.file('dag.yaml', finallyText(script))])
    await ready(place)
    run.child.kill('SIGINT')
    await run.says('being stopped')
    run.child.kill('SIGINT')
    const { code, output } = await run.over
    assert.equal(code, 3, output)
    assert.doesNotMatch(output, /tidy succeeded/)
    assert.deepEqual(place.tasks(), [])
  })

  test('what ignores TERM is killed when its grace is over', async t => {
    const place = await Place.make(t)
    const run = place.start([
      'run',
      '--grace',
      '300ms',
      place.file('dag.yaml', one(`trap '' TERM\n${STAYS}`)),
    ])
    await ready(place)
    run.child.kill('SIGTERM')
    assert.equal((await run.over).code, 3)
    assert.deepEqual(place.tasks(), [])
  })

  test('a daemon that left its process group ends with its run', async t => {
    const place = await Place.make(t)
    const script = 'setsid sh -c "sleep 300" >/dev/null 2>&1 &\nexit 0'
    const { code } = await place.run(['run', place.file('dag.yaml', one(script))])
    assert.equal(code, 0)
    assert.deepEqual(place.tasks(), [])
  })
})

test('exit codes: 0 succeeded, 1 failed, 2 usage, 3 cancelled, 4 timed out', async t => {
  const place = await Place.make(t)
  const codes = await Promise.all([
    place.run(['run', place.file('ok.yaml', one('true'))]),
    place.run(['run', place.file('fails.yaml', one('false'))]),
    place.run(['run']),
    place.run(['run', place.file('late.yaml', `${one('sleep 60')}  timeout: 300ms\n`)]),
    place.run(['run', '--pool', 'x=many', 'ok.yaml']),
    place.run(['no-such-command']),
  ])
  assert.deepEqual(
    codes.map(({ code }) => code),
    [0, 1, 2, 4, 2, 2],
  )
})

describe('the state directory', () => {
  test('of a newer version is refused and left alone', async t => {
    const place = await Place.make(t)
    const file = place.file('dag.yaml', one('true'))
    assert.equal((await place.run(['run', file])).code, 0)
    const database = new DatabaseSync(join(place.state, 'kontroler.db'))
    const tables = database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'schema_step'").get()
    assert.ok(tables !== undefined)
    const columns = database.prepare('PRAGMA table_info(schema_step)').all()
    const names = columns.map(column => String(column['name']))
    const row = database.prepare('SELECT * FROM schema_step LIMIT 1').get() ?? {}
    const values = names.map(name =>
      name === 'number' || name === 'id' || name === 'step' ? 999 : (row[name] ?? null),
    )
    database.prepare(`INSERT INTO schema_step VALUES (${names.map(() => '?').join(', ')})`).run(...values)
    database.close()
    refused(await place.run(['run', file]), 'SCHEMA_TOO_NEW', 1)
    refused(await place.run(['resume', '@last']), 'SCHEMA_TOO_NEW', 1)
  })

  test('that cannot be made or written is told, with exit 1 or 2', async t => {
    const place = await Place.make(t)
    place.file('state', 'a file stands where the directory should')
    const { code, output } = await place.run(['run', place.file('dag.yaml', one('true'))])
    assert.ok(code === 1 || code === 2, output)
    assert.match(output, /error [A-Z_]+: /)
    assertNoStack(output)
  })

  test('on a read-only disk is told', async t => {
    const place = await Place.make(t)
    if (!mount(t, place, 'size=3m,ro')) return
    const ended = await place.run(['run', place.file('dag.yaml', one('true'))])
    refused(ended, 'READ_ONLY', 1)
  })

  test('that is damaged is refused, and stays as it is', async t => {
    const place = await Place.make(t)
    const file = place.file('dag.yaml', one('true'))
    assert.equal((await place.run(['run', file])).code, 0)
    const path = join(place.state, 'kontroler.db')
    writeFileSync(path, Buffer.alloc(statSync(path).size, 7))
    rmSync(`${path}-wal`, { force: true })
    refused(await place.run(['run', file]), 'DATABASE_CORRUPT', 1)
    assert.equal(readFileSync(path)[0], 7)
  })

  test('on a full disk: runs are refused, a run that goes holds on, and goes on when there is room', async t => {
    const place = await Place.make(t)
    if (!mount(t, place, 'size=6m')) return
    const go = join(place.folder, 'go')
    const ledger = join(place.folder, 'ledger')
    const tasks = ['a', 'b', 'c'].map(
      (name, index) =>
        `    - {name: ${name}, image: b, ${index === 0 ? '' : `runAfter: [${'abc'[index - 1]}], `}script: 'echo $KONTROLER_ATTEMPT_ID >>"${ledger}"; while [ ! -e "${go}" ]; do sleep 0.02; done'}\n`,
    )
    const run = place.start(['run', place.file('dag.yaml', dagText('full', tasks.join('')))])
    await run.says('a runs')
    const filler = join(place.state, 'filler')
    fill(filler)
    // Whatever is asked for now cannot be recorded.
    const other = await place.run(['run', place.file('other.yaml', one('true'))])
    refused(other, 'DISK_FULL', 1)
    place.file('go', '')
    await run.says('DISK_FULL')
    assert.equal(run.child.exitCode, null, 'it holds on')
    rmSync(filler)
    const { code, output } = await run.over
    assert.equal(code, 0, output)
    assert.equal(output.split('DISK_FULL').length - 1, 1, 'it is told once')
    const [found] = (await place.runs()).filter(({ dag }) => dag === 'full')
    const id = found?.id ?? ''
    assert.deepEqual(
      readFileSync(ledger, 'utf8').trim().split('\n'),
      ['a', 'b', 'c'].map(name => `${id}/${name}/1`),
    )
  })
})

test('after a restart of the machine the outcome of what ran is lost, and onLost decides', async t => {
  const place = await Place.make(t)
  const ledger = join(place.folder, 'ledger')
  const script = `echo $KONTROLER_ATTEMPT_ID >>"${ledger}"\n[ "$KONTROLER_ATTEMPT" = 2 ] || sleep 300`
  const text = `${one(script)}    - {name: never, image: busybox, onLost: fail, script: 'sleep 300'}\n`
  const run = place.start(['run', place.file('dag.yaml', text)])
  await run.says('t runs')
  await run.says('never runs')
  run.child.kill('SIGKILL')
  await run.over
  // As if the machine had gone down: nothing runs, and this is another boot. Launchers go first, since one that
  // outlives its task would still record how it ended.
  const launchers = launchersIn(place)
  assert.equal(launchers.length, 2)
  for (const pid of [...launchers, ...place.tasks()]) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It went with another.
    }
  }
  const isUp = (pid: number): boolean => existsSync(`/proc/${pid}`)
  await until('all is gone', () => (place.tasks().length === 0 && !launchers.some(isUp) ? true : null))
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  for (const name of readdirSync(place.state, { recursive: true, encoding: 'utf8' })) {
    if (!/\/(record|intent)$/.test(name)) continue
    const file = join(place.state, name)
    const [first = ''] = readFileSync(file, 'utf8').split('\n')
    writeFileSync(file, `${first.replaceAll(boot, '00000000-0000-0000-0000-000000000000')}\n`)
  }
  const { code, output } = await place.run(['resume', '@last'])
  assert.equal(code, 1, output)
  assert.match(output, /the machine was restarted while it ran/)
  assert.match(output, /t succeeded/)
  const attempts = await place.read(async store => {
    const [found] = (await store.runs({})).items
    return await store.attempts(found?.id ?? '')
  })
  assert.deepEqual(
    attempts.map(({ task, attempt, outcome }) => `${task} ${attempt} ${outcome ?? ''}`).toSorted(),
    ['never 1 lost', 't 1 lost', 't 2 succeeded'],
  )
  assert.equal(readFileSync(ledger, 'utf8').trim().split('\n').length, 2)
})

/** Processes that have claimed an attempt: the number after the boot in the first line of its record. */
function launchersIn(place: Place): readonly number[] {
  return readdirSync(place.state, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('/record'))
    .map(name => Number(/^claim \S+ (\d+)/.exec(readFileSync(join(place.state, name), 'utf8'))?.[1]))
}

/** Waits until the task `t` has said that it is ready. */
async function ready(place: Place): Promise<void> {
  await until('the task is ready', () => {
    if (!existsSync(join(place.state, 'runs'))) return null
    for (const name of readdirSync(place.state, { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('/log') && readFileSync(join(place.state, name), 'utf8').includes('ready'))
        return true
    }
    return null
  })
}

function secretDag(): string {
  return dagText(
    'one',
    '    - {name: t, image: b, command: [echo], parameters: [P]}\n',
    '  parameters: [{name: P, defaultFromSecret: nope}]\n',
  )
}

/** False, having said so, where that is not allowed. */
function mount(t: TestContext, place: Place, options: string): boolean {
  mkdirSync(place.state)
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', place.state])
  if (status === 0) {
    place.beforeRemoval(() => void spawnSync('umount', ['-l', place.state]))
    return true
  }
  const sentence = 'this test needs root, to mount a small tmpfs'
  assert.equal(process.env['CI'], undefined, sentence)
  t.skip(`SKIPPED: ${sentence}`)
  return false
}

/** Takes all the room there is. */
function fill(file: string): void {
  for (let size = 65_536; size >= 1; size = Math.floor(size / 4)) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(size))
    } catch {
      // No more of this size fits.
    }
  }
}
