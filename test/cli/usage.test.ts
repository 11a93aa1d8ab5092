import assert from 'node:assert/strict'
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import type { Command } from 'commander'
import { EXAMPLES as HELP_EXAMPLES } from '../../src/cli/examples.ts'
import { buildProgram } from '../../src/cli/main.ts'
import { cliReference } from '../../src/cli/reference.ts'
import { EXAMPLES, type Place, place } from './program.ts'

let here: Place
before(async () => {
  here = await place()
})
after(() => here.remove())

const hello = join(EXAMPLES, 'hello.yaml')

describe('wrong usage ends with 2, one sentence and a way out', { concurrency: 3 }, () => {
  const wrong: readonly (readonly [words: readonly string[], error: RegExp, fix: RegExp])[] = [
    [['lst'], /UNKNOWN_COMMAND: unknown command 'lst'/, /did you mean list\? see kontroler --help/],
    [['list', '--al'], /BAD_OPTION: unknown option '--al'/, /did you mean --all\? see kontroler list --help/],
    [['run'], /BAD_OPTION: missing required argument 'file'/, /see kontroler run --help/],
    [['schedule', 'x'], /UNKNOWN_COMMAND: unknown command 'x'/, /see kontroler schedule --help/],
    [['list', '--phase', 'done'], /BAD_OPTION: .*'done' is invalid/, /see kontroler list --help/],
    [['list', '--since', 'soon'], /BAD_OPTION: --since soon is neither/, /30m, 2h, 7d/],
    [['list', '--limit', '0'], /BAD_OPTION: --limit 0 /, /whole number from 1/],
    [['list', '-l', 'team'], /BAD_OPTION: --label team has no value/, /--label NAME=value/],
    [['run', hello, '--grace', 'long'], /BAD_OPTION: --grace long is no duration/, /500ms, 10s or 1m30s/],
    [['run', hello, '-p', 'WHOM=you'], /PARAMETER_UNKNOWN: /, /WHO/],
    [['run', 'not-there.yaml'], /FILE_UNREADABLE: /, /check the path/],
    [['run', hello, '--dag', 'hallo'], /UNKNOWN_DAG: the files hold no DAG hallo/, /they hold: hello/],
  ]
  for (const [words, error, fix] of wrong) {
    test(words.map(word => word.replace(EXAMPLES, 'examples')).join(' '), async () => {
      const { code, stdout, stderr } = await here.run('--state', join(here.folder, 'usage'), ...words)
      assert.equal(stdout, '')
      assert.match(stderr, error)
      assert.match(stderr, fix)
      assert.match(stderr, /^ {2}fix: /m)
      assert.doesNotMatch(stderr, /\n {4}at /)
      assert.equal(code, 2)
    })
  }
})

describe('a state directory that cannot be used', { concurrency: 3 }, () => {
  test('there is none: what to do first', async () => {
    for (const command of ['list', 'get', 'logs', 'watch', 'explain']) {
      const words = command === 'list' ? [command] : [command, '@last']
      const { code, stderr } = await here.run(...words)
      assert.match(stderr, /^error NO_STATE: there is no state in .*\n {2}fix: run something first/)
      assert.equal(code, 2)
    }
  })

  test('of a newer version: it is left alone', async () => {
    const state = join(here.folder, 'newer')
    await here.run('run', hello, '--state', state, '-o', 'none')
    const database = new DatabaseSync(join(state, 'kontroler.db'))
    database.exec(`INSERT INTO schema_step VALUES (999, 'from the future', 'x', 0)`)
    database.close()
    const { code, stderr } = await here.run('list', '--state', state)
    assert.match(stderr, /^error SCHEMA_TOO_NEW: .*schema 999.*\n {2}fix: use the newer kontroler/)
    assert.equal(code, 1)
  })

  test('not writable: says so', async t => {
    const state = join(here.folder, 'sealed')
    await mkdir(state)
    await chmod(here.folder, 0o755)
    await chmod(state, 0o555)
    // The superuser may write everywhere, so the program runs as somebody else then.
    const root = process.getuid?.() === 0
    const uid = root ? { uid: 65_534 } : {}
    if (root && !(isOpenToAll(process.cwd()) && isOpenToAll(dirname(process.execPath))))
      return t.skip('nobody but root can read this checkout; test/e2e/faults has a read-only disk')
    const { code, stderr } = await here.start(['run', hello, '--state', state], uid).ended
    assert.match(stderr, /^error READ_ONLY: .*\n {2}fix: make the state directory/)
    assert.equal(code, 1)
  })

  test('a file in its place: says so', async () => {
    const file = join(here.folder, 'a-file')
    await writeFile(file, '')
    const { code, stderr } = await here.run('run', hello, '--state', file)
    assert.match(stderr, /^error STATE_NOT_WRITABLE: .*\n {2}fix: give another with --state/)
    assert.equal(code, 2)
  })
})

describe('validate', { concurrency: 3 }, () => {
  const bad =
    'apiVersion: kontroler.greedykomodo/v1alpha1\nkind: DAG\nmetadata: {name: x}\nspec:\n  tsk: []\n'

  test('good files, without a state directory', async () => {
    const { code, stdout } = await here.run('validate', hello, '--state', join(here.folder, 'never'))
    assert.deepEqual([code, stdout], [0, '1 document, no problems\n'])
  })

  test('from standard input: each problem with its place and what to do', async () => {
    const { code, stdout } = await here.start(['validate', '-'], { input: bad }).ended
    assert.match(
      stdout,
      /^-:5:3: error FIELD_UNKNOWN: spec has no field tsk\n.*tsk: \[\]\n.*\^\n {2}fix: did you mean task\?$/m,
    )
    assert.match(stdout, /\n2 errors\n$/)
    assert.equal(code, 2)
  })

  test('as JSON and as SARIF', async () => {
    const data = await here.start(['validate', '-', '-o', 'json'], { input: bad }).ended
    const { problems } = JSON.parse(data.stdout) as { problems: { code: string }[] }
    assert.deepEqual(problems.map(({ code }) => code).toSorted(), ['DAG_EMPTY', 'FIELD_UNKNOWN'])
    const sarif = await here.start(['validate', '-', '-o', 'sarif'], { input: bad }).ended
    const { runs } = JSON.parse(sarif.stdout) as { runs: { results: { ruleId: string }[] }[] }
    assert.equal(runs[0]?.results.length, 2)
    assert.deepEqual([data.code, sarif.code], [2, 2])
  })

  test('warnings pass, unless --strict', async () => {
    const tasks = '    - name: a\n      image: busybox\n      command: [echo]\n      script: echo\n'
    const file = await here.dag('warned', tasks)
    const easy = await here.run('validate', file)
    assert.match(easy.stdout, /\n1 document, 1 warning\n$/)
    const strict = await here.run('validate', '--strict', file)
    assert.deepEqual([easy.code, strict.code], [0, 2])
  })
})

describe('plan', { concurrency: 2 }, () => {
  test('the tasks in order, parameters filled in, what is ignored; nothing is kept', async () => {
    const state = join(here.folder, 'unborn')
    const { code, stdout } = await here.run('plan', hello, '-p', 'WHO=you', '--state', state)
    assert.equal(code, 0)
    assert.match(
      stdout,
      /^DAG hello: 4 tasks, not known here yet\n\nparameters\n {2}WHO=you\n\ntasks\n {2}fetch/,
    )
    assert.match(stdout, /\n {6}report +sh -c .*; after greet, count\n/)
    assert.match(stdout, /\nnote: image busybox is ignored/)
    assert.match((await here.run('list', '--state', state)).stderr, /NO_STATE/)
  })

  test('fields that nothing acts on yet are said to be so', async () => {
    const more = '  retention: {runs: 3}\n  triggers: [{name: n, nats: {servers: [nats://n], subject: s}}]\n'
    const file = await here.dag('quiet', '    - {name: a, image: busybox, script: "true"}\n', more)
    const { stdout } = await here.run('plan', file)
    assert.match(stdout, /\nnote: triggers of DAG quiet other than webhooks are not listened to yet/)
    assert.match(stdout, /\nnote: retention of DAG quiet is not applied yet/)
  })

  test('what changed since the version that is known', async () => {
    const state = join(here.folder, 'versions')
    const file = join(here.folder, 'hello.yaml')
    await copyFile(hello, file)
    await here.run('run', file, '--state', state, '-o', 'none')
    assert.match(
      (await here.run('plan', file, '--state', state)).stdout,
      /^DAG hello: 4 tasks, version 1, unchanged\n/,
    )
    const text = await readFile(file, 'utf8')
    const changed = text
      .replace('defaultValue: world', 'defaultValue: moon')
      .replace('runAfter: [fetch]', 'runAfter: [greet]')
      .replace('  task:\n', '  schedule: "@daily"\n  task:\n    - {name: new, image: x, script: "true"}\n')
    await writeFile(file, changed)
    const { stdout } = await here.run('plan', file, '--state', state, '-o', 'json')
    const plan = JSON.parse(stdout) as {
      isNewVersion: boolean
      changes: { change: string; what: string; name: string }[]
    }
    assert.equal(plan.isNewVersion, true)
    assert.deepEqual(
      plan.changes.map(({ change, what, name }) => `${change} ${what} ${name}`),
      [
        'changed setting schedules',
        'changed parameter WHO',
        'added task new',
        'added edge greet -> count',
        'removed edge fetch -> count',
      ],
    )
  })

  test('bad input is told as run tells it', async () => {
    const { code, stderr } = await here.run('plan', join(EXAMPLES, 'parameters.yaml'))
    assert.match(
      stderr,
      /^error PARAMETER_REQUIRED: parameter COUNT needs a value\n {2}fix: give it with -p COUNT=/,
    )
    assert.equal(code, 2)
  })
})

describe('help', () => {
  const commands = leaves(buildProgram(), [])

  test('every command has a sentence and an example', () => {
    for (const [words, command] of commands) {
      assert.notEqual(command.description(), '', words)
      assert.ok((HELP_EXAMPLES[words] ?? []).length > 0, `${words} has no example`)
    }
  })

  test('every example is of a command and uses options that it has', () => {
    for (const [words, examples] of Object.entries(HELP_EXAMPLES)) {
      const command = commands.find(([name]) => name === words)?.[1]
      assert.ok(command !== undefined, `${words} is no command`)
      for (const [text] of examples) {
        assert.ok(text.startsWith(words), text)
        for (const [, flag] of text.matchAll(/ (--?[a-z][a-z-]*)/g)) {
          assert.ok(
            command.options.some(({ long, short }) => flag === long || flag === short),
            `${text}: ${flag}`,
          )
        }
      }
    }
  })

  test('shows the examples, with the name that the program was called by', async () => {
    const { code, stdout } = await here.run('logs', '--help')
    assert.match(stdout, /Examples:\n {2}kontroler logs @last -f +# all tasks/)
    assert.equal(code, 0)
  })

  test('docs/reference/cli.md is what src/cli/generate.ts writes', async () => {
    const page = new URL('../../docs/reference/cli.md', import.meta.url)
    assert.equal(await readFile(page, 'utf8'), cliReference())
  })
})

function leaves(command: Command, words: readonly string[]): readonly (readonly [string, Command])[] {
  return command.commands.flatMap(sub => {
    const named = [...words, sub.name()]
    return sub.commands.length > 0 ? leaves(sub, named) : [[named.join(' '), sub] as const]
  })
}

test('a DagRun that asks for a retry is not run as if it were a new run', async () => {
  const file = await here.dag('again', '    - {name: a, image: busybox, script: "true"}\n')
  const order = `---
apiVersion: kontroler.greedykomodo/v1alpha1
kind: DagRun
metadata: {name: once-more}
spec: {dagName: again, action: {type: retry, run: again-one}}
`
  await writeFile(file, `${await readFile(file, 'utf8')}${order}`)
  const { code, stderr } = await here.run('run', file)
  assert.equal(code, 2)
  assert.match(stderr, /^error ACTION_NOT_YET: .*\n {2}fix: kontroler retry again-one\n$/)
})

test('a secret may come from a file, so that it does not stand among the arguments', async () => {
  const env = 'env: [{name: S, valueFrom: {secretKeyRef: {name: database, key: password}}}]'
  const script = `script: 'test "$S" = from-a-file'`
  const file = await here.dag('from-file', `    - {name: a, image: busybox, ${env}, ${script}}\n`)
  await writeFile(join(here.folder, 'password'), 'from-a-file\n')
  const good = await here.run('run', file, '-o', 'none', '--secret', 'database/password=@password')
  assert.equal(good.code, 0, good.stderr)
  const gone = await here.run('run', file, '-o', 'none', '--secret', 'database/password=@nowhere')
  assert.equal(gone.code, 2)
  assert.match(gone.stderr, /^error BAD_OPTION: the file nowhere of a --secret cannot be read\n/)
})

test('a run has a name that a DagRun can have', async () => {
  const { code, stderr } = await here.run('run', hello, '--name', 'My Run')
  assert.equal(code, 2)
  assert.match(stderr, /^error NAME_INVALID: .*\n {2}fix: call it my-run\n$/)
})

test('a task that ran out of time is said to have, not to have been killed', async () => {
  const file = await here.dag('slow', '    - {name: a, image: busybox, script: sleep 9, timeout: 50ms}\n')
  const { stdout } = await here.run('run', file, '-o', 'lines')
  assert.match(stdout, /a failed in \S+: ran longer than its timeout\n/)
})

test('a run that failed in the run of a task ends with the last words of the task in there', async () => {
  const file = await here.dag('outer', '    - {name: sub, dag: {name: inner}}\n')
  const inner = `---
apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: inner}
spec:
  task:
    - {name: fine, image: busybox, script: echo fine}
    - {name: dump, image: busybox, runAfter: [fine], script: echo no space left; exit 3}
`
  await writeFile(file, `${await readFile(file, 'utf8')}${inner}`)
  const { code, stdout } = await here.run('run', file, '--dag', 'outer', '--name', 'top', '-o', 'lines')
  assert.equal(code, 1)
  assert.match(stdout, /\n {2}sub started a run that did not succeed: run top-sub: dump exited with code 3\n/)
  assert.match(stdout, /\n {2}last lines of dump:\n.*no space left\n/)
  assert.match(stdout, /\n {2}logs: {4}kontroler logs top-sub --task dump\n/)
})

test('a run that is retried finds the Secret that stood in a file beside its DAG', async () => {
  const env = 'env: [{name: S, valueFrom: {secretKeyRef: {name: beside, key: password}}}]'
  const script = `script: 'test "$S" = near && test -e fixed'`
  const file = await here.dag('apart', `    - {name: a, image: busybox, ${env}, ${script}}\n`)
  const secret = join(here.folder, 'beside.yaml')
  await writeFile(
    secret,
    'apiVersion: v1\nkind: Secret\nmetadata: {name: beside}\nstringData: {password: near}\n',
  )
  const failed = await here.run('run', file, secret, '--name', 'apart-one', '-o', 'none')
  assert.equal(failed.code, 1, failed.stderr)
  await writeFile(join(here.folder, 'fixed'), '')
  const retried = await here.run('retry', 'apart-one', '-o', 'lines')
  assert.equal(retried.code, 0, retried.stdout)
})

/** Whether anybody may go through this directory and all above it. */
function isOpenToAll(path: string): boolean {
  for (let at = realpathSync(path); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}
