import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { EXAMPLES, type Place, place } from './program.ts'

// All tests here look at the same few runs: one that succeeded, one that failed, one with a fan-out.
let here: Place
before(async () => {
  here = await place()
  const example = (name: string): string => join(EXAMPLES, `${name}.yaml`)
  await here.run(
    'run',
    example('hello'),
    '--name',
    'hello-one',
    '-p',
    'WHO=moon',
    '-l',
    'team=sky',
    '-o',
    'none',
  )
  await here.run('run', example('failure'), '--name', 'failure-one', '-o', 'none')
  await here.run('run', example('fan-out'), '--name', 'fan-one', '-o', 'none')
})
after(() => here.remove())

const json = JSON.parse

describe('list', { concurrency: 3 }, () => {
  test('shows runs, newest first, with the message of what failed', async () => {
    const { code, stdout } = await here.run('list')
    const rows = stdout.trimEnd().split('\n')
    assert.equal(code, 0)
    assert.match(rows[0] ?? '', /^RUN +DAG +PHASE +DONE +AGE +TOOK +MESSAGE$/)
    assert.match(rows[1] ?? '', /^fan-one +fan-out +✔ succeeded +9\/9 /)
    assert.match(
      rows[2] ?? '',
      /^failure-one +failure +✖ failed +4\/4 .* test exited with code 3 \(attempt 2 of 2\)$/,
    )
    assert.match(rows[3] ?? '', /^hello-one +hello +✔ succeeded +4\/4 /)
    assert.equal(rows.length, 4)
    assert.doesNotMatch(stdout, /\u001b/)
  })

  test('narrows by DAG, phase, label and time', async () => {
    const names = async (...words: string[]): Promise<string> =>
      (await here.run('list', '-o', 'name', ...words)).stdout
    assert.equal(await names('--dag', 'hello'), 'hello-one\n')
    assert.equal(await names('--phase', 'failed,cancelled'), 'failure-one\n')
    assert.equal(await names('-l', 'team=sky'), 'hello-one\n')
    assert.equal(await names('-l', 'team=sea'), '')
    assert.equal(await names('--since', '2h', '--limit', '1'), 'fan-one\n')
    assert.equal(await names('--since', '2999-01-01'), '')
  })

  test('gives data to programs, and says whether there is more', async () => {
    const some = json((await here.run('list', '-o', 'json', '--limit', '2')).stdout)
    assert.deepEqual([some.runs.length, some.more], [2, true])
    const { runs, more } = json((await here.run('list', '-o', 'json', '--all')).stdout)
    assert.deepEqual([runs.length, more], [3, false])
    const [, failed, hello] = runs
    assert.deepEqual([failed.phase, failed.reason, failed.interrupted], ['failed', 'RUN_FAILED', false])
    assert.deepEqual([hello.labels, hello.trigger.by], [{ team: 'sky' }, 'tester'])
    assert.match(hello.createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  })

  test('says what to do when no run is like that', async () => {
    const { code, stdout } = await here.run('list', '--dag', 'nothing')
    assert.deepEqual([code, stdout], [0, 'no run is like that; see them all with: kontroler list\n'])
  })

  test('dags: each with its schedule and its last run', async () => {
    const { stdout } = await here.run('list', 'dags')
    assert.match(stdout, /^failure +1 +4 +- +✖ failed (?:just now|\w+ ago) \(failure-one\)$/m)
    const yaml = parse((await here.run('list', 'dags', '-o', 'yaml', '--dag', 'hello')).stdout)
    assert.deepEqual([yaml.dags.length, yaml.dags[0].lastRun.name], [1, 'hello-one'])
  })
})

describe('get', { concurrency: 3 }, () => {
  test('a run: how it ended, the facts, the tree', async () => {
    const { stdout } = await here.run('get', 'failure-one')
    assert.match(
      stdout,
      /^✖ failure-one {2}failed after .*\n {2}test exited with code 3 \(attempt 2 of 2\)\n/,
    )
    assert.match(stdout, /^ {2}trigger +by hand, by tester$/m)
    assert.match(stdout, /^ +⊘ deploy +not run: test failed$/m)
    assert.match((await here.run('get', 'hello-one')).stdout, /^ {2}parameters +WHO=moon$/m)
  })

  test('a run as data: parameters, tasks and their attempts', async () => {
    const run = json((await here.run('get', 'failure-one', '-o', 'json')).stdout)
    assert.deepEqual([run.name, run.phase, run.dagVersion], ['failure-one', 'failed', 1])
    const [build, testTask, deploy] = run.tasks
    assert.deepEqual(
      [build, testTask, deploy].map(({ task, state, runAfter, attempts }) => [
        task,
        state,
        runAfter,
        attempts.length,
      ]),
      [
        ['build', 'succeeded', [], 1],
        ['test', 'failed', ['build'], 2],
        ['deploy', 'upstreamFailed', ['test'], 0],
      ],
    )
    assert.deepEqual(
      testTask.attempts.map(({ exitCode }: { exitCode: number }) => exitCode),
      [3, 3],
    )
  })

  test('a task: its attempts with exit code, process and log file', async () => {
    const { stdout } = await here.run('get', 'failure-one', 'test')
    assert.match(stdout, /^✖ test {2}failed {2}exit code 3 {2}attempt 2$/m)
    const row = /^ +2 +exitCode +3 .* pid \d+ +(\S+)$/m.exec(stdout)
    assert.match(await readFile(row?.[1] ?? '', 'utf8'), /FAIL parser\.test/)
    assert.match((await here.run('get', 'hello-one', 'count')).stdout, /^ {2}output words +3$/m)
  })

  test('wide: every task in a row, items of fan-outs below their fan-out', async () => {
    const { stdout } = await here.run('get', 'fan-one', '-o', 'wide')
    const names = [...stdout.matchAll(/^(\S+) +✔ succeeded/gm)].map(([, name]) => name)
    assert.deepEqual(names.slice(0, 5), ['shard', 'shard[0]', 'shard[1]', 'shard[2]', 'shard[3]'])
  })

  test('a beginning of the name is enough, @last is the newest', async () => {
    assert.match((await here.run('get', 'fail')).stdout, /failure-one/)
    assert.match((await here.run('get', '@last')).stdout, /fan-one/)
  })
})

describe('logs', { concurrency: 3 }, () => {
  test('of one task: its last attempt, byte for byte', async () => {
    const { stdout, stderr } = await here.run('logs', 'failure-one', 'test')
    assert.deepEqual([stdout, stderr], ['running 128 tests\nFAIL parser.test: expected 3, got 4\n', ''])
    const all = await here.run('logs', 'failure-one', 'test', '--since-start')
    assert.equal(all.stdout, stdout + stdout)
    assert.equal((await here.run('logs', 'failure-one', '--task', 'test', '--attempt', '1')).stdout, stdout)
    assert.equal(
      (await here.run('logs', 'failure-one', 'test', '--tail', '1')).stdout,
      'FAIL parser.test: expected 3, got 4\n',
    )
  })

  test('of several: each line behind the name of its task, and a hint at what failed', async () => {
    const { stdout, stderr } = await here.run('logs', 'failure-one')
    assert.match(stdout, /^build +\| built\n/)
    assert.match(stdout, /^test#2 +\| FAIL parser\.test/m)
    assert.match(stderr, /kontroler logs failure-one --failed/)
    const failed = await here.run('logs', 'failure-one', '--failed')
    assert.match(failed.stdout, /^test#2 +\| running 128 tests\ntest#2 +\| FAIL [^\n]+\n$/)
  })

  test('of a fan-out: all items, or one', async () => {
    const all = (await here.run('logs', 'fan-one', '--task', 'shard')).stdout
    assert.deepEqual(all.split('\n').length, 5)
    assert.match(all, /^shard\[2\] +\| shard gamma is number 2$/m)
    const one = await here.run('logs', 'fan-one', '--task', 'shard[2]')
    assert.equal(one.stdout, 'shard gamma is number 2\n')
  })

  test('of a task that did not run: says so beside the pipe', async () => {
    const { code, stdout, stderr } = await here.run('logs', 'failure-one', 'deploy')
    assert.deepEqual([code, stdout], [0, ''])
    assert.equal(stderr, 'note: deploy wrote no log: it is upstreamFailed\n')
  })
})

describe('explain', { concurrency: 3 }, () => {
  test('a failed run: its root, and what to do', async () => {
    const { stdout } = await here.run('explain', 'failure-one')
    assert.match(stdout, /^✖ run failure-one failed: test exited with code 3 \(attempt 2 of 2\)$/m)
    assert.match(stdout, /^ {2}next: kontroler retry failure-one$/m)
    assert.match(stdout, /^ {4}next: kontroler logs failure-one --task test$/m)
  })

  test('a task that did not run: the failure in front of it', async () => {
    const explained = json((await here.run('explain', 'failure-one', 'deploy', '-o', 'json')).stdout)
    assert.deepEqual([explained.state, explained.code], ['upstreamFailed', 'UPSTREAM_FAILED'])
    assert.match(explained.sentence, /^deploy did not run because test failed/)
    assert.deepEqual(
      explained.root.map(({ task }: { task: string }) => task),
      ['test'],
    )
  })
})

describe('export', { concurrency: 3 }, () => {
  test('of a run and of a DAG the document that validates and runs again', async () => {
    const [ofRun, ofDag] = await Promise.all([here.run('export', 'hello-one'), here.run('export', 'hello')])
    assert.match(ofRun.stdout, /^apiVersion: .*\nkind: DAG\nmetadata:\n {2}name: hello\n/)
    assert.equal(ofRun.stdout, ofDag.stdout)
    const again = await here.start(['plan', '-'], { input: ofRun.stdout }).ended
    assert.match(again.stdout, /^DAG hello: 4 tasks, version 1, unchanged\n/)
  })
})

describe('names that are not there', { concurrency: 3 }, () => {
  test('a run: where to look', async () => {
    const { code, stdout, stderr } = await here.run('get', 'nope')
    assert.deepEqual([code, stdout], [2, ''])
    assert.equal(stderr, 'error UNKNOWN_RUN: there is no run nope\n  fix: see kontroler list\n')
  })

  test('a run that may be several: which ones', async () => {
    const { code, stderr } = await here.run('get', 'f')
    assert.equal(code, 2)
    assert.match(stderr, /^error AMBIGUOUS_RUN: f may be any of: .*fan-one.*failure-one/)
  })

  test('a task: what was meant', async () => {
    for (const command of ['get', 'logs', 'explain']) {
      const { code, stderr } = await here.run(command, 'failure-one', 'dploy')
      assert.equal(code, 2)
      assert.equal(
        stderr,
        'error UNKNOWN_TASK: run failure-one has no task dploy\n  fix: did you mean deploy?\n',
      )
    }
  })

  test('with -o json the error is data as well', async () => {
    const { stderr } = await here.run('get', 'nope', '-o', 'json')
    assert.deepEqual(json(stderr), {
      code: 'UNKNOWN_RUN',
      message: 'there is no run nope',
      fix: 'see kontroler list',
    })
  })
})

describe('completion', { concurrency: 3 }, () => {
  const words = async (...typed: string[]): Promise<string[]> =>
    (await here.run('__complete', ...typed)).stdout
      .trimEnd()
      .split('\n')
      .map(line => line.split('\t')[0] ?? '')

  test('commands, options, values, runs, tasks', async () => {
    assert.deepEqual(await words('lo'), ['logs', 'login', 'logout', ':4'])
    assert.deepEqual(await words('logs', '--fo'), ['--follow', ':4'])
    assert.deepEqual(await words('list', '-o', 'y'), ['yaml', ':4'])
    assert.deepEqual(await words('list', '--dag', 'f'), ['failure', 'fan-out', ':4'])
    assert.deepEqual(await words('get', 'fa'), ['fan-one', 'failure-one', ':4'])
    assert.deepEqual(await words('get', 'failure-one', 'd'), ['deploy', 'docs', ':4'])
    assert.deepEqual(await words('logs', 'failure-one', '--task', 'te'), ['test', ':4'])
    assert.deepEqual(await words('schedule', 'p'), ['preview', ':4'])
  })

  test('leaves files to the shell', async () => {
    assert.deepEqual(await words('run', ''), [':0'])
    assert.deepEqual(await words('dev', ''), [':16'])
  })

  test('offers nothing, and no error, where there is no state', async () => {
    const { code, stdout, stderr } = await here.run('__complete', '--state', '/nowhere', 'get', '')
    assert.deepEqual([code, stdout, stderr], [0, ':4\n', ''])
  })

  test('the bash script completes as typed', async () => {
    const { stdout: script } = await here.run('completion', 'bash')
    const { spawnSync } = await import('node:child_process')
    const { PROGRAM } = await import('./program.ts')
    const bash = spawnSync(
      'bash',
      [
        '-c',
        `${script}\nkontroler() { "$NODE" "$PROGRAM" "$@"; }
       COMP_WORDS=(kontroler get failure-one de) COMP_CWORD=3; _kontroler; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      {
        env: { ...process.env, NODE: process.execPath, PROGRAM, KONTROLER_STATE: here.state },
        encoding: 'utf8',
      },
    )
    assert.deepEqual([bash.stdout, bash.stderr], ['deploy\n', ''])
  })
})
