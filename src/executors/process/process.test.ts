import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { TaskShape } from '../../../test/contracts/executor-harness.ts'
import { attempt, logHolds, logText, Watched } from '../../../test/contracts/executor-harness.ts'
import type { ProcessPlace } from '../../../test/contracts/process-place.ts'
import { processPlace } from '../../../test/contracts/process-place.ts'
import { PASSED_ON } from './environment.ts'

const rule = (
  says: string,
  proof: (place: ProcessPlace) => Promise<void>,
  shell?: readonly string[],
): void => {
  test(says, { timeout: 60_000 }, async () => {
    const place = processPlace(shell)
    try {
      await proof(place)
      assert.deepEqual(place.leftovers(), [])
    } finally {
      await place.remove()
    }
  })
}

const shells = [['sh'], ['dash'], ['bash'], ['busybox', 'sh'], ['mksh']].filter(
  ([command = '', ...args]) => spawnSync(command, [...args, '-c', 'exit 0']).status === 0,
)
for (const shell of shells) {
  const named = (says: string): string => `${says}, launched by ${shell.join(' ')}`

  rule(
    named('variables arrive byte for byte under any name, and no other but what a shell adds'),
    async place => {
      const names = [
        'UID',
        'PPID',
        'IFS',
        'PS1',
        'PWD',
        'OPTIND',
        'RANDOM',
        'HOSTNAME',
        '_',
        'SHLVL',
        'BASH_ENV',
        'a.b',
      ]
      const others = [
        'kontroler_dir',
        'a-b',
        'PLAIN',
        'x',
        'code',
        'KONTROLER_ENV_1',
        'POSIXLY_CORRECT',
        'ENV',
      ]
      const env = [...names, ...others].map((name, index) => ({ name, value: `v ${index} 'é\n=$x` }))
      // `env` itself is the task, so that no shell stands between.
      const spec = attempt(place, { work: { command: ['env', '-0'] }, env })
      assert.equal((await new Watched(place).run(spec)).kind, 'succeeded')
      const seen = (await logText(place, spec)).split('\0').filter(line => line !== '')
      for (const { name, value } of env) assert.ok(seen.includes(`${name}=${value}`), name)
      const allowed = [
        ...PASSED_ON,
        ...names,
        ...others,
        'OLDPWD',
        'KONTROLER_ATTEMPT_ID',
        'KONTROLER_OUTPUT',
      ]
      assert.deepEqual(
        seen.map(line => line.split('=')[0] ?? '').filter(name => !allowed.includes(name)),
        [],
      )
    },
    shell,
  )

  rule(
    named('a signal is told from an exit code of the same number'),
    async place => {
      const watched = new Watched(place)
      for (const [name, code] of [
        ['TERM', 143],
        ['KILL', 137],
        ['SEGV', 139],
      ] as const) {
        const bySignal = await watched.run(attempt(place, { sh: `kill -${name} $$; sleep 9` }))
        const byExit = await watched.run(attempt(place, { sh: `exit ${code}` }))
        assert.deepEqual([byExit.reason, byExit.exitCode, byExit.signal], ['EXIT_CODE', code, null])
        // mksh does not say; then the code is all that is known.
        if (shell[0] === 'mksh') continue
        assert.deepEqual(
          [bySignal.reason, bySignal.exitCode, bySignal.signal],
          ['KILLED_BY_SIGNAL', code, `SIG${name}`],
        )
      }
    },
    shell,
  )

  rule(
    named('a task begins with every signal as usual, no file open but three, and the engine’s umask'),
    async place => {
      const script = 'grep -E "^Sig(Ign|Blk)" /proc/self/status; ls /proc/self/fd | grep -vE ".{3}"; umask'
      const spec = attempt(place, { work: { script } })
      await new Watched(place).run(spec)
      // `ls` has the fourth open itself; those above 99 were this test run's before it began.
      const umask = process.umask().toString(8).padStart(4, '0')
      const expected = [
        'SigBlk:\t0000000000000000',
        'SigIgn:\t0000000000000000',
        '0',
        '1',
        '2',
        '3',
        umask,
        '',
      ]
      if (process.platform === 'linux') assert.equal(await logText(place, spec), expected.join('\n'))
    },
    shell,
  )

  rule(
    named('two executors race for an attempt, and TERM, KILL and adoption work'),
    async place => {
      const [one, two] = [new Watched(place), new Watched(place)]
      for (let round = 0; round < 20; round += 1) {
        const spec = attempt(place, { sh: 'echo ran' })
        assert.deepEqual(await one.run(spec), await two.run(spec))
        assert.equal(await logText(place, spec), 'ran\n')
      }
      for (const [sh, signal] of [
        ['echo up; exec sleep 60', 143],
        ['trap "" TERM; echo up; sleep 60; sleep 60', 137],
      ] as const) {
        const spec = attempt(place, { sh })
        one.executor.start(spec)
        await logHolds(place, spec, 'up')
        two.executor.stop(spec, 100)
        assert.equal((await two.ended(spec)).exitCode, signal)
        assert.equal((await one.ended(spec)).exitCode, signal)
      }
    },
    shell,
  )
}

rule('a process that left group, session and parents is stopped with its attempt', async place => {
  if (process.platform !== 'linux') return
  const watched = new Watched(place)
  const deaf = `trap '' TERM; while :; do sleep 0.02; done`
  const ways = [
    `setsid sh -c "${deaf}" &`,
    `(setsid sh -c "(${deaf}) &" &) &`,
    `setsid setsid sh -c "${deaf}" &`,
  ]
  for (const way of ways) {
    const spec = attempt(place, { sh: `${way} sleep 0.1; echo up; sleep 60` })
    watched.executor.start(spec)
    await logHolds(place, spec, 'up')
    assert.notDeepEqual(place.leftovers(), [])
    watched.executor.stop(spec, 150)
    assert.equal((await watched.ended(spec)).exitCode, 143)
    assert.deepEqual(place.leftovers(), [])
  }
})

rule('a daemon may outlive its task, but not its run', async place => {
  if (process.platform !== 'linux') return
  const watched = new Watched(place)
  const spec = attempt(place, { sh: 'setsid sh -c "echo up; sleep 60" & sleep 0.1' })
  const other = attempt(place, { sh: 'echo up; sleep 60', run: 'run-10' })
  watched.executor.start(other)
  await logHolds(place, other, 'up')
  await watched.run(spec)
  assert.equal(place.leftovers().length > 2, true)
  await watched.executor.endRun('run-1', { removeWorkspace: false })
  // The other run, whose id begins alike, goes on.
  assert.deepEqual(watched.kinds(other), ['running'])
  watched.executor.stop(other, 1000)
  assert.equal((await watched.ended(other)).signal, 'SIGTERM')
})

rule('a task that suspends its whole group can still be stopped', async place => {
  const watched = new Watched(place)
  const spec = attempt(place, { sh: 'echo up; kill -STOP 0; echo on; sleep 60' })
  watched.executor.start(spec)
  await logHolds(place, spec, 'up')
  await delay(20)
  watched.executor.stop(spec, 60_000)
  assert.equal((await watched.ended(spec)).exitCode, 143)
})

rule('a task that signals its whole group ends as it would alone', async place => {
  const outcome = await new Watched(place).run(attempt(place, { sh: 'trap "exit 9" TERM; kill 0; sleep 1' }))
  assert.equal(outcome.exitCode, 9)
})

const wrong: readonly (readonly [says: string, reason: string, shape: TaskShape, message: RegExp])[] = [
  ['no permission', 'NOT_EXECUTABLE', { work: { command: ['./plain'] } }, /"\.\/plain".*permission denied/],
  [
    'no permission, in PATH',
    'NOT_EXECUTABLE',
    { work: { command: ['plain'] } },
    /"plain".*permission denied/,
  ],
  ['a directory', 'NOT_EXECUTABLE', { work: { command: ['./folder'] } }, /is a directory/],
  [
    'a bad interpreter',
    'NOT_EXECUTABLE',
    { work: { command: ['./bad'] } },
    /"\/no\/such\/sh", which does not exist/,
  ],
  ['a #! line with CR', 'NOT_EXECUTABLE', { work: { command: ['./crlf'] } }, /carriage return/],
  ['no #! line', 'NOT_EXECUTABLE', { work: { command: ['./bare'] } }, /no #! line/],
  ['an empty file', 'NOT_EXECUTABLE', { work: { command: ['./empty'] } }, /empty/],
  [
    'a script with a bad interpreter',
    'NOT_EXECUTABLE',
    { work: { script: '#!/no/such/sh\n' } },
    /\/no\/such\/sh/,
  ],
  ['a dangling link', 'COMMAND_NOT_FOUND', { work: { command: ['./dangling'] } }, /dangling/],
  ['an empty name', 'COMMAND_NOT_FOUND', { work: { command: [''] } }, /empty/],
  ['nothing to run', 'CONFIG_ERROR', {}, /neither a command nor a script/],
  ['a missing workdir', 'CONFIG_ERROR', { sh: 'true', workdir: '/no/such' }, /"\/no\/such" does not exist/],
  ['a file as workdir', 'CONFIG_ERROR', { sh: 'true', workdir: '/etc/passwd' }, /not a directory/],
  ['an argument too large', 'CONFIG_ERROR', { work: { command: ['true', 'x'.repeat(4e6)] } }, /larger than/],
  [
    'a variable too large',
    'CONFIG_ERROR',
    { sh: 'true', env: [{ name: 'A', value: 'x'.repeat(4e6) }] },
    /larger/,
  ],
  ['NUL in an argument', 'CONFIG_ERROR', { work: { command: ['true', 'a\0b'] } }, /NUL/],
  ['NUL in a variable', 'CONFIG_ERROR', { sh: 'true', env: [{ name: 'A', value: 'a\0b' }] }, /NUL/],
  ['= in the name of a variable', 'CONFIG_ERROR', { sh: 'true', env: [{ name: 'A=B', value: '' }] }, /"A=B"/],
  [
    'a secret under a name of the shell',
    'CONFIG_ERROR',
    { sh: 'true', env: [{ name: 'UID', value: 's3cret' }], secretNames: ['UID'] },
    /"UID"/,
  ],
]
for (const [says, reason, shape, message] of wrong) {
  rule(`${says}: ${reason}, and asked again it says the same`, async place => {
    for (const [name, text, mode] of [
      ['plain', 'echo', 0o644],
      ['bad', '#!/no/such/sh\n', 0o755],
      ['crlf', '#!/bin/sh\r\n', 0o755],
      ['bare', 'echo ran\n', 0o755],
      ['empty', '', 0o755],
    ] as const) {
      writeFileSync(join(place.workdir, name), text)
      chmodSync(join(place.workdir, name), mode)
    }
    mkdirSync(join(place.workdir, 'folder'))
    symlinkSync('/no/such', join(place.workdir, 'dangling'))
    const path = { name: 'PATH', value: `${place.workdir}:/usr/bin:/bin` }
    const spec = attempt(place, { ...shape, env: [path, ...(shape.env ?? [])] })
    const outcome = await new Watched(place).run(spec)
    assert.deepEqual([outcome.kind, outcome.reason], ['configError', reason])
    assert.match(outcome.message ?? '', message)
    assert.doesNotMatch(outcome.message ?? '', /s3cret/)
    assert.deepEqual(await new Watched(place).run(spec), outcome)
  })
}

rule('arguments and variables of 100 kB arrive', async place => {
  const long = 'é'.repeat(50_000)
  const command = ['sh', '-c', 'printf %s "$1$A" | wc -c', 'sh', long]
  const spec = attempt(place, { work: { command }, env: [{ name: 'A', value: long }] })
  await new Watched(place).run(spec)
  assert.equal((await logText(place, spec)).trim(), '200000')
})

rule('files are their owner’s only, and no secret is among them', async place => {
  const env = [{ name: 'TOKEN', value: 's3cret-value' }]
  const spec = attempt(place, {
    work: { script: 'echo a=1 >> "$KONTROLER_OUTPUT"' },
    outputs: ['a'],
    workspace: true,
    env,
  })
  await new Watched(place).run({ ...spec, secretNames: ['TOKEN'] })
  const entries = readdirSync(place.stateDir, { recursive: true, withFileTypes: true })
  assert.ok(entries.length > 7)
  for (const entry of entries) {
    const file = join(entry.parentPath, entry.name)
    const expected = entry.isDirectory() || entry.name === 'script' ? 0o700 : 0o600
    assert.equal((statSync(file).mode & 0o777).toString(8), expected.toString(8), file)
    if (entry.isFile()) assert.ok(!readFileSync(file, 'latin1').includes('s3cret'))
  }
})

rule('an output or a log that a task replaced by a link is not followed', async place => {
  const watched = new Watched(place)
  const secret = join(place.workdir, 'secret')
  writeFileSync(secret, 'a=s3cret\n')
  const output = attempt(place, { sh: `ln -sf ${secret} "$KONTROLER_OUTPUT"`, outputs: ['a'] })
  assert.equal((await watched.run(output)).reason, 'OUTPUT_INVALID')
  for (const sh of [
    'rm "$KONTROLER_OUTPUT"; mkfifo "$KONTROLER_OUTPUT"',
    'rm "$KONTROLER_OUTPUT"; mkdir "$KONTROLER_OUTPUT"',
  ])
    assert.equal((await watched.run(attempt(place, { sh, outputs: ['a'] }))).reason, 'OUTPUT_INVALID')
  const log = attempt(place, { sh: `ln -sf ${secret} "\${KONTROLER_OUTPUT%/*}/log"` })
  await watched.run(log)
  assert.equal(await logText(place, log), '')
  const folder = attempt(place, {
    sh: `d="\${KONTROLER_OUTPUT%/*}"; mkdir ${place.workdir}/x; mv "$d/record" ${place.workdir}/x/; echo a=s3cret > ${place.workdir}/x/log; mv "$d" ${place.workdir}/y; ln -s ${place.workdir}/x "$d"`,
  })
  await watched.run(folder)
  assert.equal(await place.logs.size(folder), null)
})

rule('no key of a task or id of a run leads out of the state directory', async place => {
  const watched = new Watched(place)
  const keys = ['../../../../tmp/x', '/etc', '..', 'a/b', 'build[12]', 'Build', 'ü', 'x'.repeat(600)]
  for (const key of keys) {
    const spec = attempt(place, { sh: 'printf %s "$KONTROLER_ATTEMPT_ID"', task: key, run: key })
    assert.equal((await watched.run(spec)).kind, 'succeeded')
    assert.equal(await logText(place, spec), `${key}/${key}/1`)
    assert.ok(place.folder(spec).startsWith(`${place.stateDir}/runs/`))
  }
  assert.deepEqual(readdirSync(place.stateDir), ['runs', 'state-id'])
})

rule('600 short tasks leave no open file and no process behind', async place => {
  const watched = new Watched(place)
  const files = (): number => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0)
  const some = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += 1) {
      const spec = attempt(place, { work: { command: ['true'] } })
      assert.equal((await watched.run(spec)).kind, 'succeeded')
      watched.executor.release(spec)
      watched.seen.length = 0
    }
  }
  await some(50)
  const before = files()
  const many = async (): Promise<void> => {
    const other = new Watched(place)
    for (let done = 0; done < 100; done += 1) {
      assert.equal((await other.run(attempt(place, { work: { command: ['true'] } }))).kind, 'succeeded')
      other.seen.length = 0
    }
    await other.executor.close()
  }
  await Promise.all([many(), many(), many(), many(), many(), many()])
  assert.ok(files() <= before, `${before} files were open, now ${files()}`)
})

rule('a workspace is removed with its read-only parts, and what its links lead to stays', async place => {
  const watched = new Watched(place)
  const kept = join(place.workdir, 'kept')
  writeFileSync(kept, '')
  const sh = `cd "$KONTROLER_WORKSPACE" && mkdir a && touch a/b && ln -s ${place.workdir} a/link && chmod 500 a`
  assert.equal((await watched.run(attempt(place, { sh, workspace: true }))).kind, 'succeeded')
  await watched.executor.endRun('run-1', { removeWorkspace: true })
  assert.ok(!existsSync(join(place.stateDir, 'runs', 'run-1', 'workspace')))
  assert.ok(existsSync(kept))
})

rule('300 started at once all run', async place => {
  const watched = new Watched(place)
  const specs = Array.from({ length: 300 }, (_, index) => attempt(place, { sh: `exit ${index % 5}` }))
  for (const spec of specs) watched.executor.start(spec)
  for (const [index, spec] of specs.entries()) assert.equal((await watched.ended(spec)).exitCode, index % 5)
})

rule('what a process cannot honour is said in sentences', async place => {
  const { executor } = new Watched(place)
  const plain = attempt(place, { sh: 'true' }).work
  assert.deepEqual(executor.ignores(plain), [])
  const full = {
    image: 'alpine:3',
    resources: { limits: { cpu: 1 } },
    podTemplate: { volumes: [{}], affinity: {} },
  }
  assert.deepEqual(executor.ignores({ ...plain, ...full }), [
    'image alpine:3 is ignored: the task runs as a local process',
    'resources are ignored: a local process has no limits of its own',
    'podTemplate.volumes is ignored: a local process sees the files of this machine',
  ])
})
