import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Place, place, until } from './program.ts'

let here: Place
before(async () => {
  here = await place()
})
after(() => here.remove())

/** A task goes on when its file is there, so that no test guesses at time. */
const gate = (name: string): string => `while [ ! -e ${join(here.folder, name)} ]; do sleep 0.05; done`
const open = (name: string): Promise<void> => writeFile(join(here.folder, name), '')
const task = (name: string, script: string, more = ''): string =>
  `    - name: ${name}\n      image: x\n${more}      script: |\n${script.replace(/^/gm, '        ')}\n`

/** Waits until the run is known, so that commands beside it find it. */
async function begun(name: string): Promise<void> {
  await until(async () => (await here.run('get', name)).code === 0)
}

describe('beside a run that another process drives', { concurrency: 3 }, () => {
  test('logs -f gives every byte of one task, also a last line without an end, and binary', async () => {
    const writes = [
      'i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done',
      gate('bytes-on'),
      `printf 'a\\000b\\377\\033[31m'`,
      'i=0; while [ $i -lt 3000 ]; do echo "more $i"; i=$((i+1)); done',
      `printf 'no end'`,
    ]
    const file = await here.dag('bytes', task('write', writes.join('\n')))
    const run = here.start(['run', file, '--name', 'bytes-one', '-o', 'none'])
    await begun('bytes-one')
    const logs = here.start(['logs', '-f', 'bytes-one', 'write'])
    await until(() => logs.output().includes('line 2999\n'))
    await open('bytes-on')
    const { code, bytes } = await logs.ended
    assert.equal((await run.ended).code, 0)
    const numbered = (word: string): string =>
      Array.from({ length: 3000 }, (_, at) => `${word} ${at}\n`).join('')
    const binary = Buffer.from([0x61, 0, 0x62, 0xff, 0x1b, 0x5b, 0x33, 0x31, 0x6d])
    const expected = Buffer.concat([
      Buffer.from(numbered('line')),
      binary,
      Buffer.from(`${numbered('more')}no end`),
    ])
    assert.equal(code, 0)
    assert.ok(bytes.equals(expected), `${bytes.length} bytes instead of ${expected.length}`)
  })

  test('logs -f of several tasks tears no line, and shows tasks and attempts that start later', async () => {
    const tasks = [
      task('first', `echo begins\nprintf half\n${gate('several-on')}\necho ' and half'`),
      task(
        'second',
        'echo try; test $KONTROLER_ATTEMPT = 2',
        '      runAfter: [first]\n      backoff: {limit: 1}\n',
      ),
    ]
    const file = await here.dag('several', tasks.join(''))
    const run = here.start(['run', file, '--name', 'several-one', '-o', 'none'])
    await begun('several-one')
    const logs = here.start(['logs', '-f', 'several-one'])
    await until(() => logs.output().includes('begins'))
    await open('several-on')
    const { code, stdout } = await logs.ended
    assert.equal((await run.ended).code, 0)
    assert.equal(code, 0)
    assert.deepEqual(stdout.split('\n'), [
      'first    | begins',
      'first    | half and half',
      'second   | try',
      'second#2 | try',
      '',
    ])
  })

  test('watch shows what run shows, and ends with the same summary and exit code', async () => {
    const file = await here.dag('watched', task('wait', `${gate('watched-on')}\necho last words\nexit 7`))
    const run = here.start(['run', file, '--name', 'watched-one', '-o', 'lines'])
    await begun('watched-one')
    const watches = [here.start(['watch', 'watched-one']), here.start(['watch', 'watched-one', '-o', 'json'])]
    await until(() => watches.every(({ output }) => output().includes('wait')))
    await open('watched-on')
    const driven = await run.ended
    const [lines, data] = await Promise.all(watches.map(({ ended }) => ended))
    assert.deepEqual([driven.code, lines?.code, data?.code], [1, 1, 1])
    const withoutNotes = driven.stdout.replace(/^note: .*\n/gm, '')
    assert.equal(lines?.stdout, withoutNotes)
    assert.match(withoutNotes, / {2}│ last words$/m)
    const events = (data?.stdout ?? '')
      .trimEnd()
      .split('\n')
      .map(line => (JSON.parse(line) as { type: string }).type)
    assert.deepEqual([events[0], events.at(-1)], ['runCreated', 'runSettled'])
    // Of a run that is over, the same.
    assert.equal((await here.run('watch', 'watched-one')).stdout, withoutNotes)
  })

  test('Ctrl-C ends watch, not the run', async () => {
    const file = await here.dag('left', task('wait', gate('left-on')))
    const run = here.start(['run', file, '--name', 'left-one', '-o', 'none'])
    await begun('left-one')
    const watch = here.start(['watch', 'left-one'])
    await until(() => watch.output().includes('wait'))
    watch.child.kill('SIGINT')
    const { code, stderr } = await watch.ended
    assert.equal(code, 130)
    assert.equal(stderr, 'run left-one goes on; cancel it with: kontroler cancel left-one\n')
    await open('left-on')
    assert.equal((await run.ended).code, 0)
  })

  test('cancel ends it: both say so with exit code 3', async () => {
    const file = await here.dag('cancelled', task('wait', 'exec sleep 300'))
    const run = here.start(['run', file, '--name', 'cancelled-one', '-o', 'none'])
    await begun('cancelled-one')
    const watch = here.start(['watch', 'cancelled-one', '-o', 'none'])
    const cancel = await here.run('cancel', 'cancelled-one')
    assert.deepEqual([cancel.code, cancel.stdout], [0, 'run cancelled-one is cancelled\n'])
    assert.deepEqual([(await run.ended).code, (await watch.ended).code], [3, 3])
  })
})

describe('a run whose engine was killed', () => {
  test('is told as interrupted everywhere, and goes on with resume', async () => {
    const file = await here.dag('killed', task('wait', `echo before\n${gate('killed-on')}\necho after`))
    const run = here.start(['run', file, '--name', 'killed-one', '-o', 'none'])
    await begun('killed-one')
    await until(async () => (await here.run('logs', 'killed-one')).stdout.includes('before'))
    run.child.kill('SIGKILL')
    await run.ended
    const [list, get, explain, watch, logs] = await Promise.all([
      here.run('list', '--dag', 'killed'),
      here.run('get', 'killed-one'),
      here.run('explain', 'killed-one', '-o', 'json'),
      here.run('watch', 'killed-one'),
      here.run('logs', '-f', 'killed-one'),
    ])
    assert.match(list.stdout, /^killed-one .* ! interrupted .* kontroler resume killed-one$/m)
    assert.match(get.stdout, /^! killed-one {2}interrupted\n {2}go on with: kontroler resume killed-one\n/)
    assert.match(explain.stdout, /"code": "ENGINE_GONE"/)
    for (const { code, stderr } of [watch, logs]) {
      assert.equal(code, 1)
      assert.match(stderr, /^error ENGINE_GONE: .*\n {2}fix: kontroler resume killed-one\n$/)
    }
    assert.equal(logs.stdout, 'before\n')
    await open('killed-on')
    assert.equal((await here.run('resume', 'killed-one', '-o', 'none')).code, 0)
    assert.equal((await here.run('logs', 'killed-one')).stdout, 'before\nafter\n')
  })
})

test('two runs in one state directory at once: both end well', async () => {
  const files = await Promise.all(['one', 'two'].map(name => here.dag(name, task('say', `echo ${name}`))))
  const ended = await Promise.all(files.map(file => here.run('run', file, '-o', 'lines')))
  assert.deepEqual(
    ended.map(({ code }) => code),
    [0, 0],
  )
})

test('a run out of time ends with exit code 4', async () => {
  const file = await here.dag('late', task('wait', 'exec sleep 300'), '  timeout: 200ms\n')
  assert.equal((await here.run('run', file, '-o', 'none')).code, 4)
})
