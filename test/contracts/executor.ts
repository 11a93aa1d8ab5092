import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { AttemptSpec } from '../../src/ports/executor.ts'
import type { ExecutorHarness, TaskShape } from './executor-harness.ts'
import { attempt, logHolds, logOf, logText, Watched } from './executor-harness.ts'

/** How an executor differs where the contract allows it. */
export interface ContractOptions {
  /** How often what may go wrong by chance is tried; each round starts processes or containers. Default: 200. */
  readonly rounds?: number
  /**
   * What a task writes goes through two pipes to somebody who reads them by lines, as with every container engine: each
   * stream by itself is in order, and a line is seen when it is whole. Default: false, the task writes to the log itself.
   */
  readonly piped?: boolean
  /** How many rules are tried at once. Default: 1. */
  readonly concurrency?: number
  /**
   * The task is the first process of its container, as in a pod: the kernel keeps signals from it that it does not
   * handle. Default: false, an init process stands in front of it.
   */
  readonly first?: boolean
  /** How long a log is tried. Default: 100 MB. */
  readonly logBytes?: number
}

const ROUNDS = 200
const LOG_BYTES = 100 * 1024 * 1024

/** What any executor must do. Tasks are plain `sh`, so that they run as processes, in containers and in pods. */
export function executorContract(
  name: string,
  make: () => Promise<ExecutorHarness>,
  {
    rounds = ROUNDS,
    piped = false,
    concurrency = 1,
    first = false,
    logBytes = LOG_BYTES,
  }: ContractOptions = {},
): void {
  /** A test with a place of its own, at whose end nothing may run any more. */
  const rule = (says: string, proof: (harness: ExecutorHarness) => Promise<void>): void => {
    test(says, { timeout: 120_000 }, async () => {
      const harness = await make()
      try {
        await proof(harness)
        assert.deepEqual(await harness.leftovers(), [])
      } finally {
        await harness.remove()
      }
    })
  }

  describe(`${name}: what ran`, { concurrency }, () => whatRan(rule, rounds, first))
  describe(`${name}: outputs`, { concurrency }, () => outputs(rule))
  describe(`${name}: logs`, () => logs(rule, piped, first, logBytes))
  describe(`${name}: at most once`, { concurrency }, () => atMostOnce(rule, rounds))
  describe(`${name}: stopping`, { concurrency }, () => stopping(rule, rounds, first))
}

type Rule = (says: string, proof: (harness: ExecutorHarness) => Promise<void>) => void

function whatRan(rule: Rule, rounds: number, first: boolean): void {
  rule('a success is reported as running and then as ended', async harness => {
    const watched = new Watched(harness)
    const spec = attempt(harness, { sh: 'true' })
    assert.deepEqual(await watched.run(spec), {
      kind: 'succeeded',
      reason: 'SUCCEEDED',
      exitCode: 0,
      signal: null,
      message: null,
      outputs: {},
    })
    assert.deepEqual(watched.kinds(spec), ['running', 'ended'])
    const [running, ended] = watched.seen
    assert.ok(running !== undefined && ended !== undefined && running.at <= ended.at)
  })

  rule('every exit code arrives', async harness => {
    const watched = new Watched(harness)
    const all = Array.from({ length: 256 }, (_, code) => code)
    const telling = [0, 1, 2, 125, 126, 127, 128, 129, 137, 143, 255]
    const codes = rounds < ROUNDS ? telling : all
    const one = async (): Promise<void> => {
      for (let code = codes.pop(); code !== undefined; code = codes.pop()) {
        const outcome = await watched.run(attempt(harness, { sh: `exit ${code}` }))
        assert.equal(outcome.exitCode, code)
        assert.equal(outcome.kind, code === 0 ? 'succeeded' : 'exitCode')
      }
    }
    await Promise.all([one(), one(), one(), one()])
  })

  for (const [signal, number] of [
    ['KILL', 9],
    ['TERM', 15],
    ['SEGV', 11],
    ['USR1', 10],
    ['HUP', 1],
    ['INT', 2],
  ] as const) {
    rule(`the end by SIG${signal} has exit code ${128 + number}`, async harness => {
      const outcome = await new Watched(harness).run(
        attempt(harness, { sh: byItself(`kill -${signal} $$; sleep 9`, first) }),
      )
      assert.equal(outcome.kind, 'exitCode')
      assert.equal(outcome.exitCode, 128 + number)
    })
  }

  const texts = [
    '',
    ' ',
    '-n',
    '--',
    "it's",
    '"',
    '$HOME `id` $(id)',
    'a\nb\n',
    '\\',
    'é 漢 🚀',
    '*',
    '%s',
    '=',
    'a=b',
  ]

  rule('arguments arrive byte for byte', async harness => {
    const spec = attempt(harness, {
      work: { command: ['sh', '-c', 'printf "%s|" "$#"; printf "%s\\0" "$@"', 'sh'], args: texts },
    })
    assert.equal((await new Watched(harness).run(spec)).kind, 'succeeded')
    assert.equal(await logText(harness, spec), `${texts.length}|${texts.map(text => `${text}\0`).join('')}`)
  })

  rule('variables arrive byte for byte, and the last one of a name wins', async harness => {
    const env = texts.map((value, index) => ({ name: `V_${index}`, value }))
    const sh = texts.map((_, index) => `printf '%s\\0' "$V_${index}"`).join('\n')
    const spec = attempt(harness, { sh, env: [{ name: 'V_3', value: 'before' }, ...env] })
    assert.equal((await new Watched(harness).run(spec)).kind, 'succeeded')
    assert.equal(await logText(harness, spec), texts.map(text => `${text}\0`).join(''))
  })

  rule('a script runs by its #! line, or by sh without one; args follow', async harness => {
    const watched = new Watched(harness)
    const plain = attempt(harness, { work: { script: 'echo "plain $0 $1" | sed s,/.*/,,', args: ['one'] } })
    const other = attempt(harness, { work: { script: '#!/bin/cat\nthe text itself' } })
    await Promise.all([watched.run(plain), watched.run(other)])
    assert.match(await logText(harness, plain), /^plain \S+ one\n$/)
    assert.equal(await logText(harness, other), '#!/bin/cat\nthe text itself')
  })

  rule('a command that does not exist is a configuration error that names it', async harness => {
    const watched = new Watched(harness)
    for (const command of ['no-such-command', '/no/such/command', './no-such-command']) {
      const spec = attempt(harness, { work: { command: [command] } })
      const outcome = await watched.run(spec)
      assert.equal(outcome.kind, 'configError')
      assert.equal(outcome.reason, 'COMMAND_NOT_FOUND')
      assert.ok(outcome.message?.includes(command))
    }
  })

  rule('a task that exits with 126 or 127 itself is an ordinary failure', async harness => {
    const watched = new Watched(harness)
    for (const code of [126, 127]) {
      const outcome = await watched.run(attempt(harness, { sh: `exit ${code}` }))
      assert.equal(outcome.reason, 'EXIT_CODE')
    }
  })

  rule('nothing of the main process outlives it', async harness => {
    const watched = new Watched(harness)
    const spec = attempt(harness, { sh: '(while :; do echo tick; sleep 0.02; done) & sleep 0.1; echo main' })
    assert.equal((await watched.run(spec)).kind, 'succeeded')
    await staysSilent(harness, spec)
  })

  rule('the engine’s own environment does not leak', async harness => {
    process.env['ENGINE_TOKEN'] = 'not for tasks'
    try {
      const spec = attempt(harness, { sh: 'env', env: [{ name: 'OWN', value: '1' }] })
      await new Watched(harness).run(spec)
      const text = await logText(harness, spec)
      assert.match(text, /^OWN=1$/m)
      assert.match(text, new RegExp(`^KONTROLER_ATTEMPT_ID=${spec.run}/${spec.task}/1$`, 'm'))
      assert.doesNotMatch(text, /ENGINE_TOKEN/)
    } finally {
      delete process.env['ENGINE_TOKEN']
    }
  })

  rule('the tasks of a run share its workspace until the run is ended', async harness => {
    const watched = new Watched(harness)
    const in_ = { workspace: true }
    const write = attempt(harness, { ...in_, sh: 'echo kept > "$KONTROLER_WORKSPACE/file"' })
    const read = (): AttemptSpec =>
      attempt(harness, { ...in_, sh: 'cat "$KONTROLER_WORKSPACE/file" || exit 3' })
    await watched.run(write)
    const first = read()
    assert.equal((await watched.run(first)).kind, 'succeeded')
    assert.equal(await logText(harness, first), 'kept\n')
    await watched.executor.endRun('run-1', { removeWorkspace: false })
    assert.equal((await watched.run(read())).kind, 'succeeded')
    await watched.executor.endRun('run-1', { removeWorkspace: true })
    // A claim goes when the last pod that used it goes; until then it cannot be had again.
    if (first) return
    assert.equal((await watched.run(read())).exitCode, 3)
  })
}

function outputs(rule: Rule): void {
  const good: readonly (readonly [says: string, sh: string, expected: Record<string, string>])[] = [
    ['nothing written', 'true', {}],
    ['one of two', 'echo a=1 >> "$KONTROLER_OUTPUT"', { a: '1' }],
    ['values with = and spaces', 'echo "a=x=y z " >> "$KONTROLER_OUTPUT"', { a: 'x=y z ' }],
    ['an empty value', 'echo a= >> "$KONTROLER_OUTPUT"', { a: '' }],
    [
      'empty lines, CRLF, no final newline',
      `printf 'a=1\\r\\n\\n\\r\\nb=2' >> "$KONTROLER_OUTPUT"`,
      { a: '1', b: '2' },
    ],
    ['the last line of a name wins', 'for i in 1 2 3; do echo a=$i >> "$KONTROLER_OUTPUT"; done', { a: '3' }],
    ['exactly 4095 bytes', `printf 'a=%04093d' 7 >> "$KONTROLER_OUTPUT"`, { a: '7'.padStart(4093, '0') }],
    ['text beyond ASCII', 'echo "a=é 漢 🚀" >> "$KONTROLER_OUTPUT"', { a: 'é 漢 🚀' }],
    ['the file was removed', 'rm -f "$KONTROLER_OUTPUT" || true', {}],
  ]
  for (const [says, sh, expected] of good) {
    rule(`outputs: ${says}`, async harness => {
      const outcome = await new Watched(harness).run(attempt(harness, { sh, outputs: ['a', 'b'] }))
      assert.equal(outcome.kind, 'succeeded')
      assert.deepEqual(outcome.outputs, expected)
    })
  }

  const bad: readonly (readonly [says: string, reason: string, shape: TaskShape])[] = [
    ['4096 bytes', 'OUTPUT_TOO_LARGE', { sh: `printf 'a=%04094d' 7 >> "$KONTROLER_OUTPUT"` }],
    ['a line without =', 'OUTPUT_INVALID', { sh: 'echo s3cret >> "$KONTROLER_OUTPUT"' }],
    ['a line without a name', 'OUTPUT_INVALID', { sh: 'echo =s3cret >> "$KONTROLER_OUTPUT"' }],
    ['an unknown name', 'OUTPUT_INVALID', { sh: 'echo c=s3cret >> "$KONTROLER_OUTPUT"' }],
    [
      'written though none is declared',
      'OUTPUT_INVALID',
      { sh: 'echo a=s3cret >> "$KONTROLER_OUTPUT"', outputs: [] },
    ],
    ['bytes that are not UTF-8', 'OUTPUT_INVALID', { sh: `printf 'a=\\377\\n' >> "$KONTROLER_OUTPUT"` }],
    [
      'U+FFFD, which stands for such bytes',
      'OUTPUT_INVALID',
      { sh: `printf 'a=\\357\\277\\275\\n' >> "$KONTROLER_OUTPUT"` },
    ],
    ['a NUL byte', 'OUTPUT_INVALID', { sh: `printf 'a=\\000\\n' >> "$KONTROLER_OUTPUT"` }],
  ]
  for (const [says, reason, shape] of bad) {
    rule(`outputs: ${says} → ${reason}`, async harness => {
      const outcome = await new Watched(harness).run(attempt(harness, { outputs: ['a', 'b'], ...shape }))
      assert.equal(outcome.kind, 'configError')
      assert.equal(outcome.reason, reason)
      assert.deepEqual(outcome.outputs, {})
      assert.doesNotMatch(outcome.message ?? '', /s3cret/)
    })
  }

  rule('outputs of a failure are not read', async harness => {
    const sh = 'echo a=1 >> "$KONTROLER_OUTPUT"; exit 4'
    const outcome = await new Watched(harness).run(attempt(harness, { sh, outputs: ['a'] }))
    assert.equal(outcome.exitCode, 4)
    assert.deepEqual(outcome.outputs, {})
  })
}

function logs(rule: Rule, piped: boolean, first: boolean, logBytes: number): void {
  rule('standard output and error share one log, in order', async harness => {
    const spec = attempt(harness, { sh: 'echo one; echo two >&2; echo three; printf four' })
    await new Watched(harness).run(spec)
    const text = await logText(harness, spec)
    if (!piped) return assert.equal(text, 'one\ntwo\nthree\nfour')
    // Each stream by itself is in order and whole; "four" may stand before "two".
    assert.equal(text.replace('two\n', ''), 'one\nthree\nfour')
    assert.equal(text.length, 'one\ntwo\nthree\nfour'.length)
  })

  rule('bytes are kept as they came', async harness => {
    const octal = Array.from({ length: 256 }, (_, byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
    const spec = attempt(harness, { sh: `printf '${octal}'` })
    await new Watched(harness).run(spec)
    assert.deepEqual(await logOf(harness, spec), Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)))
  })

  rule('standard input is empty', async harness => {
    const spec = attempt(harness, { sh: 'cat; echo done' })
    await new Watched(harness).run(spec)
    assert.equal(await logText(harness, spec), 'done\n')
  })

  rule('many MB without a newline are complete, and the engine’s memory stays flat', async harness => {
    const bytes = logBytes
    const before = process.memoryUsage().rss
    const spec = attempt(harness, { sh: `head -c ${bytes} /dev/zero | tr '\\0' x; printf end` })
    assert.equal((await new Watched(harness).run(spec)).kind, 'succeeded')
    assert.equal(await harness.logs.size(spec), bytes + 3)
    assert.equal(Buffer.from(await harness.logs.read(spec, bytes - 1, 100)).toString(), 'xend')
    const grown = process.memoryUsage().rss - before
    // What is read from a socket is garbage of 64 MB before it is collected; it does not grow with the log.
    const most = (piped ? 96 : 64) * 1024 * 1024
    assert.ok(grown < most, `memory grew by ${grown} bytes`)
  })

  rule('the log of a killed task holds what it wrote until then, also after its release', async harness => {
    const watched = new Watched(harness)
    const spec = attempt(harness, { sh: byItself('echo before; kill -9 $$', first) })
    await watched.run(spec)
    watched.executor.release(spec)
    await watched.executor.close()
    assert.equal(await logText(harness, spec), 'before\n')
  })

  rule('a log can be read from any place while it grows', async harness => {
    const watched = new Watched(harness)
    const spec = attempt(harness, { sh: `printf '0123456789${piped ? '\\n' : ''}'; sleep 60` })
    watched.executor.start(spec)
    await logHolds(harness, spec, '9')
    const read = async (offset: number, most: number): Promise<string> =>
      Buffer.from(await harness.logs.read(spec, offset, most)).toString()
    assert.equal(await read(0, 4), '0123')
    assert.equal(await read(4, 6), '456789')
    assert.equal(await read(11, 100), '')
    assert.equal(await read(999, 100), '')
    watched.executor.stop(spec, 0)
    await watched.ended(spec)
  })

  rule('an attempt that never ran has no log, and a removed run has none any more', async harness => {
    const spec = attempt(harness, { sh: 'echo x' })
    assert.equal(await harness.logs.size(spec), null)
    assert.equal((await harness.logs.read(spec, 0, 10)).length, 0)
    await new Watched(harness).run(spec)
    assert.equal(await harness.logs.size(spec), 2)
    await harness.logs.remove(spec.run)
    assert.equal(await harness.logs.size(spec), null)
  })
}

function atMostOnce(rule: Rule, rounds: number): void {
  rule('nothing is reported inside the call that causes it', async harness => {
    const watched = new Watched(harness)
    const spec = attempt(harness, { sh: 'true' })
    watched.executor.start(spec)
    assert.deepEqual(watched.seen, [])
    await watched.ended(spec)
    const seen = watched.seen.length
    watched.executor.stop(spec, 0)
    assert.equal(watched.seen.length, seen)
  })

  rule('started twice, it runs once; started after its end, the end is reported again', async harness => {
    const watched = new Watched(harness)
    const spec = attempt(harness, {
      sh: 'echo ran; sleep 0.05; echo a=1 >> "$KONTROLER_OUTPUT"',
      outputs: ['a'],
    })
    watched.executor.start(spec)
    watched.executor.start(spec)
    const first = await watched.ended(spec)
    assert.deepEqual(first.outputs, { a: '1' })
    for (const again of [watched, new Watched(harness)]) {
      again.seen.length = 0
      assert.deepEqual(await again.run(spec), first)
    }
    assert.equal(await logText(harness, spec), 'ran\n')
  })

  rule('another attempt of the task runs anew', async harness => {
    const watched = new Watched(harness)
    const spec = attempt(harness, { sh: 'echo "$KONTROLER_ATTEMPT_ID"' })
    await watched.run(spec)
    await watched.run({ ...spec, attempt: 2 })
    assert.equal(await logText(harness, spec), `${spec.run}/${spec.task}/1\n`)
    assert.equal(await logText(harness, { ...spec, attempt: 2 }), `${spec.run}/${spec.task}/2\n`)
  })

  rule(
    `two executors racing for one attempt, ${rounds} times: it runs once and both report the same end`,
    async harness => {
      const [one, two] = [new Watched(harness), new Watched(harness)]
      for (let round = 0; round < rounds; round += 1) {
        const spec = attempt(harness, { sh: `echo ran; exit ${round % 3}` })
        const ends = await Promise.all([one.run(spec), two.run(spec)])
        assert.deepEqual(ends[0], ends[1])
        assert.equal(ends[0].exitCode, round % 3)
        assert.equal(await logText(harness, spec), 'ran\n')
      }
    },
  )

  rule('a closed executor leaves its tasks running, and the next one adopts them', async harness => {
    const first = new Watched(harness)
    const spec = attempt(harness, {
      sh: 'echo begin; while [ ! -e "$KONTROLER_WORKSPACE/go" ]; do sleep 0.02; done; echo a=1 >> "$KONTROLER_OUTPUT"; exit 0',
      workspace: true,
      outputs: ['a'],
    })
    first.executor.start(spec)
    const running = await first.running(spec)
    await first.executor.close()
    const second = new Watched(harness)
    second.executor.start(spec)
    assert.deepEqual(await second.running(spec), running)
    await second.run(attempt(harness, { sh: 'touch "$KONTROLER_WORKSPACE/go"', workspace: true }))
    assert.deepEqual((await second.ended(spec)).outputs, { a: '1' })
    assert.deepEqual(first.kinds(spec), ['running'])
    assert.equal(await logText(harness, spec), 'begin\n')
  })

  rule('one that ended while nobody looked is reported by the next executor', async harness => {
    const first = new Watched(harness)
    const sh = 'echo begin; sleep 0.2; echo end; touch "$KONTROLER_WORKSPACE/over"; exit 7'
    const spec = attempt(harness, { sh, workspace: true })
    first.executor.start(spec)
    await first.running(spec)
    await first.executor.close()
    const wait = 'while [ ! -e "$KONTROLER_WORKSPACE/over" ]; do sleep 0.02; done'
    const second = new Watched(harness)
    await second.run(attempt(harness, { sh: wait, workspace: true }))
    assert.equal((await second.run(spec)).exitCode, 7)
    assert.equal(await logText(harness, spec), 'begin\nend\n')
  })

  rule(
    'meant to start where nobody can look any more: it may have run, so it never starts, and is lost',
    async harness => {
      const watched = new Watched(harness)
      // Of one whose knowledge lasts there is no such place.
      if (watched.executor.era === undefined) return
      for (const act of ['start', 'stop'] as const) {
        const spec = attempt(harness, { sh: 'echo ran', era: 'another' })
        assert.equal(await watched.executor.adopt(spec), false)
        if (act === 'start') watched.executor.start(spec)
        else watched.executor.stop(spec, 0)
        const outcome = await watched.ended(spec)
        assert.deepEqual([outcome.kind, outcome.reason], ['lost', 'LOST'])
        assert.deepEqual(await new Watched(harness).run(spec), outcome)
        assert.equal(await logText(harness, spec), '')
      }
      const here = attempt(harness, { sh: 'echo ran', era: watched.executor.era })
      assert.equal((await watched.run(here)).kind, 'succeeded')
    },
  )
}

function stopping(rule: Rule, rounds: number, first: boolean): void {
  rule('stopped before its start, it never runs, whoever starts it later', async harness => {
    const watched = new Watched(harness)
    const spec = attempt(harness, { sh: 'echo ran' })
    watched.executor.stop(spec, 1000)
    const outcome = await watched.ended(spec)
    assert.equal(outcome.kind, 'cancelled')
    assert.equal(outcome.exitCode, null)
    assert.deepEqual(await new Watched(harness).run(spec), outcome)
    assert.ok(!(await logText(harness, spec)).includes('ran'))
  })

  rule('stopped right after its start, it ends one way or the other and never runs twice', async harness => {
    const watched = new Watched(harness)
    for (let round = 0; round < Math.min(rounds, 40); round += 1) {
      const spec = attempt(harness, { sh: 'echo ran; sleep 60' })
      watched.executor.start(spec)
      if (round % 2 === 1) await delay(round / 4)
      watched.executor.stop(spec, 60_000)
      const outcome = await watched.ended(spec)
      const ended = first ? [137, 143] : [143]
      assert.ok(
        outcome.kind === 'cancelled' || ended.includes(outcome.exitCode ?? 0),
        JSON.stringify(outcome),
      )
      assert.ok(['', 'ran\n'].includes(await logText(harness, spec)))
    }
  })

  rule('TERM ends a task that lets it', async harness => {
    const sh = first ? 'trap "exit 143" TERM; echo up; sleep 60 & wait' : 'echo up; sleep 60'
    const { outcome } = await stopped(harness, sh, 60_000)
    assert.deepEqual([outcome.kind, outcome.exitCode], ['exitCode', 143])
  })

  rule('a task may use its grace time, and what it then exits with counts', async harness => {
    const sh = 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.02; done'
    const { outcome, spec } = await stopped(harness, sh, 60_000)
    assert.deepEqual([outcome.kind, outcome.exitCode], ['exitCode', 5])
    assert.match(await logText(harness, spec), /bye\n$/)
  })

  rule('a task that ignores TERM is killed when its grace time is up', async harness => {
    const sh = 'trap "" TERM; echo up; while :; do sleep 0.02; done'
    const { outcome } = await stopped(harness, sh, 100)
    assert.deepEqual([outcome.kind, outcome.exitCode, outcome.signal], ['exitCode', 137, 'SIGKILL'])
  })

  rule('stopped again with a shorter grace time, it is killed at once', async harness => {
    const watched = new Watched(harness)
    const spec = attempt(harness, { sh: 'trap "" TERM; echo up; while :; do sleep 0.02; done' })
    watched.executor.start(spec)
    await logHolds(harness, spec, 'up')
    watched.executor.stop(spec, 600_000)
    await delay(50)
    watched.executor.stop(spec, 0)
    assert.equal((await watched.ended(spec)).exitCode, 137)
  })

  rule('stopped after its end, the end is reported again', async harness => {
    const watched = new Watched(harness)
    const spec = attempt(harness, { sh: 'exit 6' })
    const first = await watched.run(spec)
    for (const again of [watched, new Watched(harness)]) {
      again.seen.length = 0
      again.executor.stop(spec, 0)
      assert.deepEqual(await again.ended(spec), first)
    }
  })

  rule('an executor that did not start it can stop it, and both report the end', async harness => {
    const [one, two] = [new Watched(harness), new Watched(harness)]
    const spec = attempt(harness, { sh: 'echo up; sleep 60' })
    one.executor.start(spec)
    await logHolds(harness, spec, 'up')
    two.executor.stop(spec, 60_000)
    assert.deepEqual(await one.ended(spec), await two.ended(spec))
  })

  const trees = {
    'children and grandchildren':
      'sh -c "trap \\"\\" TERM; while :; do echo tick; sleep 0.02; done" & sh -c "sleep 60 & wait" &',
    'a double fork': '(sh -c "trap \\"\\" TERM; while :; do echo tick; sleep 0.02; done" &) &',
  }
  for (const [what, sh] of Object.entries(trees)) {
    rule(`the whole tree is stopped: ${what}`, async harness => {
      const { spec } = await stopped(harness, `${sh} echo up; sleep 60`, 100)
      await staysSilent(harness, spec)
    })
  }
}

async function stopped(
  harness: ExecutorHarness,
  sh: string,
  graceMs: number,
): Promise<{ outcome: Awaited<ReturnType<Watched['ended']>>; spec: AttemptSpec }> {
  const watched = new Watched(harness)
  const spec = attempt(harness, { sh })
  watched.executor.start(spec)
  await logHolds(harness, spec, 'up')
  watched.executor.stop(spec, graceMs)
  return { outcome: await watched.ended(spec), spec }
}

/** As the first process of a container nobody can end himself by a signal: a child does, and its code is passed on. */
const byItself = (sh: string, first: boolean): string =>
  first ? `exec 2>/dev/null; sh -c '${sh}'; exit $?` : sh

/** Nothing writes to the log any more: what wrote every 20 ms is gone. */
async function staysSilent(harness: ExecutorHarness, spec: AttemptSpec): Promise<void> {
  const size = await harness.logs.size(spec)
  await delay(150)
  assert.equal(await harness.logs.size(spec), size)
}
