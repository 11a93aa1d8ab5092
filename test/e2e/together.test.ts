import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Command, Place, dagText, until } from './kontroler.ts'

/** `KONTROLER_ROUNDS=20` for more rounds of the tests that look for races between processes. */
const ROUNDS = Number(process.env['KONTROLER_ROUNDS'] ?? 5)

/** A DAG of a chain and two tasks beside it. */
const chain = (name: string): string =>
  dagText(
    name,
    `    - {name: a, image: busybox, script: echo a}
    - {name: b, image: busybox, runAfter: [a], script: echo b}
    - {name: c, image: busybox, runAfter: [b], script: echo c}
    - {name: x, image: busybox, script: echo x}
    - {name: y, image: busybox, script: echo y}
`,
  )

/** A task that waits until a file is there, then says how it went on. */
const waits = (name: string, file: string, more = ''): string =>
  `    - {name: ${name}, image: busybox, ${more}script: 'while [ ! -e "${file}" ]; do sleep 0.02; done; echo went on'}\n`

for (const many of [2, 4]) {
  test(`${many} runs of different files, started at once in one directory, all end green (${ROUNDS} rounds)`, async t => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const place = await Place.make(t)
      const files = Array.from({ length: many }, (_, index) =>
        place.file(`${index}.yaml`, chain(`dag-${index}`)),
      )
      const ended = await Promise.all(files.map(file => place.run(['run', file])))
      for (const { code, output } of ended) assert.equal(code, 0, output)
      const runs = await place.runs()
      assert.deepEqual(
        runs.map(({ dag }) => dag).toSorted(byText),
        files.map((_, index) => `dag-${index}`),
      )
      assert.ok(runs.every(({ phase }) => phase === 'succeeded'))
      await place.remove()
    }
  })
}

describe('a second process', { concurrency: 2 }, () => {
  test('cancels a run that another drives', async t => {
    const place = await Place.make(t)
    const file = place.file('long.yaml', dagText('long', waits('stays', join(place.folder, 'never'))))
    const run = place.start(['run', file])
    await run.says('stays runs')
    const cancelled = await place.run(['cancel', '@last'])
    assert.equal(cancelled.code, 0, cancelled.output)
    assert.match(cancelled.output, /is cancelled/)
    const { code, output } = await run.over
    assert.equal(code, 3, output)
    assert.match(output, /cancelled by/)
    assert.deepEqual(place.tasks(), [])
  })

  test('pauses and resumes a run that another drives', async t => {
    const place = await Place.make(t)
    const go = join(place.folder, 'go')
    const text = `${waits('first', go)}    - {name: second, image: busybox, runAfter: [first], script: echo 2}\n`
    const run = place.start(['run', place.file('two.yaml', dagText('two', text))])
    await run.says('first runs')
    assert.equal((await place.run(['pause', '@last'])).code, 0)
    await run.says('paused by')
    place.file('go', '')
    await run.says('first succeeded')
    await delay(300)
    assert.doesNotMatch(run.output(), /second (runs|succeeded)/)
    const resumed = await place.run(['resume', '@last'])
    assert.equal(resumed.code, 0, resumed.output)
    assert.match(resumed.output, /goes on/)
    const { code, output } = await run.over
    assert.equal(code, 0, output)
    assert.match(output, /second succeeded/)
  })

  test('answers an approval of a run that another drives; a wrong answer changes nothing', async t => {
    const place = await Place.make(t)
    const run = place.start(['run', join(process.cwd(), 'examples/approval.yaml')])
    await run.says('waits for approval')
    const wrong = await place.run(['approve', '@last', 'go-live'])
    assert.notEqual(wrong.code, 0)
    assert.match(wrong.output, /CHANGE/)
    const right = await place.run(['approve', '@last', '-p', 'CHANGE=1'])
    assert.equal(right.code, 0, right.output)
    const { code, output } = await run.over
    assert.equal(code, 0, output)
    const late = await place.run(['approve', '@last', 'go-live', '-p', 'CHANGE=2'])
    assert.notEqual(late.code, 0)
    assert.match(late.output, /RUN_FINISHED/)
  })

  test('cancels a run whose engine was killed, and ends its processes', async t => {
    const place = await Place.make(t)
    const file = place.file('long.yaml', dagText('long', waits('stays', join(place.folder, 'never'))))
    const run = place.start(['run', file])
    await run.says('stays runs')
    run.child.kill('SIGKILL')
    await run.over
    assert.equal(place.tasks().length > 0, true, 'the task outlives its engine')
    const cancelled = await place.run(['cancel', '@last'])
    assert.equal(cancelled.code, 0, cancelled.output)
    assert.deepEqual(place.tasks(), [])
    assert.equal((await place.runs())[0]?.phase, 'cancelled')
  })
})

test(`an interrupted run that several resume at once has one driver, and nothing is doubled (${ROUNDS} rounds)`, async t => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const place = await Place.make(t)
    const ledger = join(place.folder, 'ledger')
    const go = join(place.folder, 'go')
    const tell = `echo $KONTROLER_TASK >>"${ledger}"`
    const text = `    - {name: first, image: busybox, script: '${tell}; while [ ! -e "${go}" ]; do sleep 0.02; done'}
    - {name: second, image: busybox, runAfter: [first], script: '${tell}'}
`
    const run = place.start([
      'run',
      place.file('two.yaml', dagText('two', text.replaceAll('$KONTROLER_TASK', '$KONTROLER_ATTEMPT_ID'))),
    ])
    await run.says('first runs')
    run.child.kill('SIGKILL')
    await run.over
    const resumes = [0, 1, 2].map(() => place.start(['resume', '@last']))
    const drove = (command: Command): boolean => command.output().includes('first')
    await until('each has decided', async () => {
      const ended = await Promise.all(resumes.map(isOver))
      return ended.filter(Boolean).length >= 2 ? true : null
    })
    place.file('go', '')
    const ended = await Promise.all(resumes.map(({ over }) => over))
    assert.equal(resumes.filter(drove).length <= 1, true, ended.map(({ output }) => output).join('\n---\n'))
    for (const { code, output } of ended) {
      assert.ok(code === 0 || /goes on|took run|NOT_ADOPTED/.test(output), output)
      assert.doesNotMatch(output, / at .*\.ts:\d+/, 'no stack is shown')
    }
    const [found] = await place.runs()
    assert.equal(found?.phase, 'succeeded')
    const id = found?.id ?? ''
    assert.deepEqual(readFileSync(ledger, 'utf8').trim().split('\n'), [`${id}/first/1`, `${id}/second/1`])
    await place.remove()
  }
})

test('a pool is a lock over processes: tasks of two runs never hold it at once', async t => {
  const place = await Place.make(t)
  const lock = join(place.folder, 'lock')
  const script = `'mkdir "${lock}" || exit 9; sleep 0.05; rmdir "${lock}"'`
  const files = ['one', 'two', 'three'].map(name =>
    place.file(
      `${name}.yaml`,
      dagText(name, `    - {name: t, image: busybox, pool: lock, forEach: [1, 2, 3], script: ${script}}\n`),
    ),
  )
  const ended = await Promise.all(files.map(file => place.run(['run', file])))
  for (const { code, output } of ended) assert.equal(code, 0, output)
})

test('a pool with a size lets that many in, over processes', async t => {
  const place = await Place.make(t)
  const slots = join(place.folder, 'slots')
  // Each task takes a place; a third one at once would find two.
  const script = `'mkdir -p "${slots}"; touch "${slots}/$$"; set -- "${slots}"/*; [ $# -le 2 ] || exit 9; sleep 0.1; rm "${slots}/$$"'`
  const files = ['one', 'two'].map(name =>
    place.file(
      `${name}.yaml`,
      dagText(name, `    - {name: t, image: busybox, pool: p, forEach: [1, 2, 3, 4], script: ${script}}\n`),
    ),
  )
  const ended = await Promise.all(files.map(file => place.run(['run', file, '--pool', 'p=2'])))
  for (const { code, output } of ended) assert.equal(code, 0, output)
})

describe('dev', () => {
  test('and run share a state directory; dev takes over what a killed run left', async t => {
    const place = await Place.make(t)
    const go = join(place.folder, 'go')
    place.file('dags/empty.yaml', chain('idle'))
    const dev = place.start(['dev', 'dags'])
    await dev.says('read: 1 DAG')
    const other = place.file('other.yaml', chain('other'))
    const green = await place.run(['run', other])
    assert.equal(green.code, 0, green.output)
    assert.doesNotMatch(dev.output(), /other/, 'a run that somebody drives is left to them')
    const left = place.start(['run', place.file('left.yaml', dagText('left', waits('stays', go)))])
    await left.says('stays runs')
    left.child.kill('SIGKILL')
    await left.over
    await dev.says('was interrupted and goes on')
    assert.equal((await place.run(['run', other])).code, 0)
    assert.equal((await place.read(store => store.engines())).length, 1, 'the killed engine is forgotten')
    place.file('go', '')
    await until('it has succeeded', async () => {
      const runs = await place.runs()
      return runs.some(({ dag, phase }) => dag === 'left' && phase === 'succeeded') ? true : null
    })
    dev.child.kill('SIGTERM')
    const { code, output } = await dev.over
    assert.equal(code, 0, output)
  })

  test('says what it ignores, and which orders it does not carry out', async t => {
    const place = await Place.make(t)
    place.file('dags/idle.yaml', chain('idle'))
    const order = (name: string, spec: string): string =>
      `apiVersion: kontroler.greedykomodo/v1alpha1\nkind: DagRun\nmetadata: {name: ${name}}\nspec: ${spec}\n`
    place.file('dags/lost.yaml', order('lost', '{dagName: nowhere}'))
    place.file('dags/more.yaml', order('more', '{dagName: idle, action: {type: retry, run: old}}'))
    const dev = place.start(['dev', 'dags'])
    await dev.says('DagRun lost is not carried out: there is no DAG nowhere in this directory')
    await dev.says('DagRun more is not carried out: documents cannot retry yet; use kontroler retry old')
    assert.match(dev.output(), /note: image \S+ is ignored/)
    dev.child.kill('SIGTERM')
    assert.equal((await dev.over).code, 0)
    assert.deepEqual(await place.runs(), [])
  })

  test('killed, it leaves a queued run that resume begins when its turn has come, and not before', async t => {
    const place = await Place.make(t)
    await place.read(store =>
      store.advance({ namespace: 'default', dag: 'line', highWater: Date.now() - 150_000, skips: [] }),
    )
    const schedule = "  schedule: '* * * * *'\n  catchUp: all\n  concurrencyPolicy: Queue\n"
    const go = join(place.folder, 'go')
    place.file('dags/line.yaml', dagText('line', waits('a', go), schedule))
    const dev = place.start(['dev', 'dags'])
    await dev.says('a runs')
    await until('a second run stands in line', async () => (await place.runs()).length > 1 || null)
    dev.child.kill('SIGKILL')
    await dev.over
    const queued = (await place.runs()).filter(({ phase }) => phase === 'queued').map(({ name }) => name)
    const running = (await place.runs()).filter(({ phase }) => phase === 'running').map(({ name }) => name)
    const early = await place.run(['resume', queued.at(-1) ?? ''])
    assert.equal(early.code, 1)
    assert.match(early.output, /error RUN_QUEUED: .* as its DAG runs one at a time/)
    place.file('go', '')
    for (const name of [...running, ...queued.toReversed()]) {
      const { code, output } = await place.run(['resume', name])
      assert.equal(code, 0, output)
    }
    assert.deepEqual(new Set((await place.runs()).map(({ phase }) => phase)), new Set(['succeeded']))
  })

  test('twice on one directory gives one run a tick, and a DagRun is carried out once', async t => {
    const place = await Place.make(t)
    // A tick from before is due as soon as they look, so that both reach for it at once.
    await place.read(store =>
      store.advance({ namespace: 'default', dag: 'tick', highWater: Date.now() - 90_000, skips: [] }),
    )
    place.file(
      'dags/tick.yaml',
      dagText('tick', '    - {name: a, image: busybox, script: echo tick}\n', "  schedule: '* * * * *'\n"),
    )
    place.file(
      'dags/once.yaml',
      'apiVersion: kontroler.greedykomodo/v1alpha1\nkind: DagRun\nmetadata: {name: only-once}\nspec: {dagName: tick}\n',
    )
    const both = [place.start(['dev', 'dags']), place.start(['dev', 'dags'])]
    await Promise.all(both.map(dev => dev.says('read: 1 DAG')))
    await until('a tick has come', async () => {
      const runs = await place.runs()
      return runs.length > 1 && runs.every(({ phase }) => phase === 'succeeded') ? true : null
    })
    await delay(300)
    for (const dev of both) dev.child.kill('SIGINT')
    for (const { code, output } of await Promise.all(both.map(({ over }) => over))) {
      assert.equal(code, 0, output)
      assert.doesNotMatch(output, /warning/)
    }
    const triggers = (await place.runs()).map(({ trigger }) => `${trigger.kind} ${trigger.key}`)
    assert.equal(new Set(triggers).size, triggers.length, triggers.join(', '))
    assert.equal(triggers.filter(text => text.startsWith('dagRun')).length, 1)
  })

  test('ends at once and leaves its tasks running; the next one goes on with them', async t => {
    const place = await Place.make(t)
    const go = join(place.folder, 'go')
    place.file('dags/long.yaml', dagText('long', waits('stays', go)))
    place.file(
      'dags/run.yaml',
      'apiVersion: kontroler.greedykomodo/v1alpha1\nkind: DagRun\nmetadata: {name: the-run}\nspec: {dagName: long}\n',
    )
    const first = place.start(['dev', 'dags'])
    await first.says('stays runs')
    first.child.kill('SIGTERM')
    const ended = await first.over
    assert.equal(ended.code, 0, ended.output)
    assert.match(ended.output, /goes on with the next/)
    assert.ok(place.tasks().length > 0)
    const second = place.start(['dev', 'dags'])
    await second.says('was interrupted and goes on')
    place.file('go', '')
    await second.says('succeeded')
    second.child.kill('SIGTERM')
    assert.equal((await second.over).code, 0)
    assert.equal((await place.runs()).length, 1)
    assert.ok(existsSync(go))
  })
})

const byText = (a: string, b: string): number => (a < b ? -1 : 1)

async function isOver({ over }: Command): Promise<boolean> {
  return await Promise.race([over.then(() => true), delay(1).then(() => false)])
}
