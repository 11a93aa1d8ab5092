import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { until } from '../../cli/program.ts'
import { anOutcome, succeeded } from '../../model/machine.ts'
import { kubectlPrograms } from '../programs.ts'
import { eventually, type OperatorHouse, task } from '../operator/house.ts'
import { startOperatorPlace } from '../operator/place.ts'
import { person, type Person } from './place.ts'

const place = await startOperatorPlace()
const CHAIN = {
  parameters: [{ name: 'WHO', defaultValue: 'you' }],
  task: [task('a'), task('b', { runAfter: ['a'] }), task('c', { runAfter: ['b'] })],
}

interface Here {
  readonly house: OperatorHouse
  readonly who: Person
  /** `kontroler -n NAMESPACE WORDS…` */
  readonly cli: (...words: readonly string[]) => ReturnType<Person['kontroler']>
}

async function here(t: TestContext): Promise<Here> {
  const house = await place.house(t)
  const who = await person(place.cluster.kubeconfig)
  t.after(() => who[Symbol.asyncDispose]())
  return { house, who, cli: (...words) => who.kontroler('-n', house.namespace, ...words) }
}

test('submit makes a DagRun; with --watch it is shown to its end, and the command ends as the run does', async t => {
  const { house, cli } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  await house.dagIs('chain', ({ version }) => version === 1)

  const good = await cli('submit', 'chain', '-p', 'WHO=me', '--name', 'good', '-l', 'team=data', '--watch')
  assert.equal(good.code, 0, good.stderr)
  assert.match(good.stdout, /▶ run good \(\S+\) of DAG chain\n/)
  assert.match(good.stdout, /✔ good succeeded after \S+ \(3\/3\)\n$/)
  const made = await house.dagRun('good')
  assert.deepEqual(made.spec, { dagName: 'chain', parameters: [{ name: 'WHO', value: 'me' }] })
  assert.equal(made.metadata.labels?.['team'], 'data')

  house.machine.script = ({ task: name }) => (name === 'b' ? anOutcome({ exitCode: 3 }) : succeeded())
  const bad = await cli('submit', 'chain', '--name', 'bad', '-w', '-o', 'lines')
  assert.equal(bad.code, 1)
  assert.match(bad.stdout, /✖ b failed: exit code 3\n/)
  assert.match(bad.stdout, /⊘ c: not run: a task before it failed\n/)
  assert.match(bad.stdout, /✖ bad failed after \S+ \(3\/3\)\n {2}b exited with code 3/)
  assert.match(bad.stdout, new RegExp(`explain: kontroler -n ${house.namespace} explain bad\n`))

  const quiet = await cli('submit', 'chain', '--wait')
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [1, '', ''])
})

test('submit without waiting names the run and what to do with it', async t => {
  const { house, cli } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  const { code, stdout } = await cli('submit', 'dag/chain', '--from-secret', 'WHO=people/first')
  assert.equal(code, 0)
  const [, name = ''] = /^run (chain-\w{5}) of DAG chain is submitted\n/.exec(stdout) ?? []
  const { spec } = await house.dagRun(name)
  assert.deepEqual(spec['parameters'], [{ name: 'WHO', fromSecret: { name: 'people', key: 'first' } }])
  assert.match((await cli('submit', 'chain', '-o', 'name')).stdout, /^dagrun\/chain-\w{5}\n$/)
})

test('submit -f starts the DagRun of a file; the command line wins over it', async t => {
  const { house, who, cli } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  const file = await who.file(
    'run.yaml',
    `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DagRun
metadata: {generateName: from-file-, labels: {a: b}}
spec: {dagName: chain, parameters: [{name: WHO, value: file}]}
`,
  )
  const { code, stdout, stderr } = await cli('submit', '-f', file, '-p', 'WHO=line', '-o', 'name')
  assert.equal(code, 0, stderr)
  const [, name = ''] = /^dagrun\/(from-file-\w{5})\n$/.exec(stdout) ?? []
  const made = await house.dagRun(name)
  assert.deepEqual(made.spec['parameters'], [{ name: 'WHO', value: 'line' }])
  assert.equal(made.metadata.labels?.['a'], 'b')
})

test('what cannot run is told before anything is made', async t => {
  const { house, cli } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  const unknown = await cli('submit', 'chian')
  assert.equal(unknown.code, 2)
  assert.match(
    unknown.stderr,
    /^error UNKNOWN_DAG: there is no DAG chian in namespace \S+\n {2}fix: did you mean chain\?\n$/,
  )
  const wrong = await cli('submit', 'chain', '-p', 'WOH=x')
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /^error PARAMETER_UNKNOWN: .*\n {2}fix: did you mean WHO/)
  assert.deepEqual(await house.dagRuns(), [])
  const taken = [await cli('submit', 'chain', '--name', 'one'), await cli('submit', 'chain', '--name', 'one')]
  assert.deepEqual(
    taken.map(({ code }) => code),
    [0, 2],
  )
  assert.match(taken[1]?.stderr ?? '', /^error RUN_EXISTS/)
})

test('list shows DagRuns newest first, filtered, as table and data; and DAGs', async t => {
  const { house, cli } = await here(t)
  assert.match(
    (await cli('list')).stdout,
    /^namespace house-\d+ has no DagRun; start one with: kontroler -n /,
  )
  house.apply({ kind: 'DAG', name: 'chain', spec: { ...CHAIN, schedule: '0 3 1 1 *' } })
  house.apply({ kind: 'DAG', name: 'broken', spec: { task: [task('a', { runAfter: ['nothing'] })] } })
  await cli('submit', 'chain', '--name', 'one', '--wait')
  house.machine.script = () => anOutcome({ exitCode: 1 })
  await cli('submit', 'chain', '--name', 'two', '--wait')
  const table = (await cli('list')).stdout
  assert.match(
    table,
    /^RUN +DAG +PHASE +DONE +AGE +TOOK +MESSAGE\ntwo +chain +✖ failed .*a exited with code 1.*\none +chain +✔ succeeded +3\/3/,
  )
  assert.equal((await cli('list', '--phase', 'failed', '-o', 'name')).stdout, 'two\n')
  const { runs, more } = JSON.parse((await cli('list', '-o', 'json', '--limit', '1')).stdout)
  assert.deepEqual(
    [runs.length, runs[0].name, runs[0].phase, runs[0].tasksTotal, more],
    [1, 'two', 'failed', 3, true],
  )
  await house.dagIs('broken', ({ phase }) => phase === 'Failed')
  const dags = (await cli('list', 'dags')).stdout
  assert.match(dags, /chain +1 +3 +.*03:00.*in \d+d.* ✖ failed .*\(two\)/)
  assert.match(dags, /broken +- +1 +- +- +never +TASK_UNKNOWN/u)
})

test('get shows how a run stands as a tree; what the status does not name follows from what it does', async t => {
  const { house, cli } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  house.machine.script = ({ task: name }) => (name === 'b' ? 'runs' : succeeded())
  await cli('submit', 'chain', '--name', 'goes', '-p', 'WHO=me')
  await house.until('goes', ({ tasks }) => tasks?.[0]?.name === 'b' && tasks[0].state === 'running')
  const { stdout } = await cli('get', 'goes')
  assert.match(stdout, /^● goes {2}running for /)
  assert.match(stdout, /parameter WHO +me\n/)
  assert.match(stdout, /\n {2}✔ a\n {4}● b\n {6}○ c +after b\n/)
  const data = JSON.parse((await cli('get', '@last', '-o', 'json')).stdout)
  assert.deepEqual(
    data.tasks.map(({ task: name, state }: { task: string; state: string }) => `${name} ${state}`),
    ['a succeeded', 'b running', 'c pending'],
  )
  assert.match((await cli('get', 'go', 'b')).stdout, /^● b {2}running/)
  assert.match((await cli('get', 'goes', 'd')).stderr, /^error UNKNOWN_TASK/)
  assert.match((await cli('get', 'nope')).stderr, /^error UNKNOWN_RUN: there is no DagRun nope in namespace/)
  assert.match((await cli('get', 'dag/chain')).stdout, /^✔ DAG chain\n[^]*last runs\n {2}● goes {2}running/)
})

test('watch shows a run to its end, as lines and as data; Ctrl-C leaves the run alone', async t => {
  const { house, who, cli } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  house.machine.script = ({ task: name }) => (name === 'b' ? 'runs' : succeeded())
  await cli('submit', 'chain', '--name', 'goes')
  const left = who.start(['-n', house.namespace, 'watch', 'goes'])
  await until(() => left.output().includes('● b running'))
  left.child.kill('SIGINT')
  const { code, stderr } = await left.ended
  assert.equal(code, 130)
  assert.match(stderr, /run goes goes on; cancel it with: kontroler -n \S+ cancel goes/)
  const data = who.start(['-n', house.namespace, 'watch', 'goes', '-o', 'json'])
  await until(() => data.output().includes('"running"'))
  const id = (await house.dagRun('goes')).metadata.uid
  house.machine.end(`${id}/b/1`)
  const ended = await data.ended
  assert.equal(ended.code, 0)
  const last = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '')
  assert.deepEqual([last.phase, last.tasksDone, last.id], ['succeeded', 3, id])
})

test('cancel ends a run and waits for that; what has ended is not cancelled', async t => {
  const { house, cli } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  house.machine.script = () => 'runs'
  await cli('submit', 'chain', '--name', 'goes')
  const { code, stdout } = await cli('cancel', 'goes')
  assert.deepEqual([code, stdout], [0, 'run goes is cancelled\n'])
  assert.equal((await cli('watch', 'goes', '-o', 'none')).code, 3)
  const again = await cli('cancel', 'goes')
  assert.equal(again.code, 1)
  assert.match(again.stderr, /^error RUN_FINISHED: run goes has ended already: cancelled/)
})

test('pause holds a run back, resume lets it go on', async t => {
  const { house, cli } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  house.machine.script = ({ task: name }) => (name === 'a' ? 'runs' : succeeded())
  await cli('submit', 'chain', '--name', 'goes')
  await house.until('goes', ({ tasks }) => tasks?.[0]?.state === 'running')
  assert.match(
    (await cli('pause', 'goes')).stdout,
    /^run goes is paused; go on with: kontroler -n \S+ resume goes\n$/,
  )
  house.machine.end(`${(await house.dagRun('goes')).metadata.uid}/a/1`)
  await house.until('goes', ({ progress }) => progress === '1/3')
  const { code, stdout } = await cli('resume', 'goes', '--watch', '-o', 'lines')
  assert.equal(code, 0)
  assert.match(stdout, /✔ goes succeeded/)
})

test('retry continues a failed run, fork begins at a task; only what has ended can be continued', async t => {
  const { house, cli } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  house.machine.script = ({ task: name }) => (name === 'b' ? anOutcome({ exitCode: 1 }) : succeeded())
  await cli('submit', 'chain', '--name', 'bad', '--wait')
  house.machine.script = () => succeeded()
  const before = house.machine.started.length
  assert.equal((await cli('retry', 'bad', '--name', 'again', '--wait')).code, 0)
  assert.deepEqual(
    house.machine.started.slice(before).map(ref => ref.split('/')[1]),
    ['b', 'c'],
  )
  assert.deepEqual((await house.dagRun('again')).spec['action'], { type: 'retry', run: 'bad' })
  assert.match((await cli('retry', 'again')).stderr, /^error NOTHING_TO_RETRY/)
  assert.equal((await cli('fork', 'again', '--from', 'c', '--wait')).code, 0)
  assert.deepEqual(house.machine.started.at(-1)?.split('/')[1], 'c')
  assert.match((await cli('fork', 'again')).stderr, /^error BAD_OPTION: required option '--from <task>'/)
  house.machine.script = () => 'runs'
  await cli('submit', 'chain', '--name', 'goes')
  assert.match((await cli('retry', 'goes')).stderr, /^error RUN_NOT_FINISHED: run goes is /)
})

test('explain says why a run failed or waits, and what to do in this cluster', async t => {
  const { house, cli } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  house.machine.script = ({ task: name }) => (name === 'b' ? anOutcome({ exitCode: 7 }) : succeeded())
  await cli('submit', 'chain', '--name', 'bad', '--wait')
  const { stdout } = await cli('explain', 'bad')
  assert.match(stdout, /^✖ run bad failed: b exited with code 7\n/)
  assert.match(stdout, /\n {2}✖ b failed: exit code 7\n {4}next: kontroler -n \S+ logs bad --task b\n/)
  assert.match((await cli('explain', 'bad', 'c')).stdout, /^⊘ c not run: a task before it failed/)
  house.apply({ kind: 'DagRun', name: 'early', spec: { dagName: 'later' } })
  await house.until('early', ({ reason }) => reason === 'UNKNOWN_DAG')
  assert.match(
    (await cli('explain', 'early')).stdout,
    /^○ run early has not begun: .*later.*\n {2}next: apply DAG later/,
  )
  house.apply({ kind: 'DAG', name: 'broken', spec: { task: [task('a', { runAfter: ['nothing'] })] } })
  await house.dagIs('broken', ({ phase }) => phase === 'Failed')
  const dag = await eventually('the Event', async () => {
    const text = (await cli('explain', 'dag/broken', '-o', 'json')).stdout
    return text.includes('"reason": "TASK_UNKNOWN"') || text.includes('"note"') ? text : null
  })
  assert.equal(JSON.parse(dag).dag, 'broken')
})

test('without a controller that looks at it, a run says so', async t => {
  const { house, cli } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  await house.dagIs('chain', ({ version }) => version === 1)
  await house.stop()
  await cli('submit', 'chain', '--name', 'lonely')
  assert.match((await cli('list')).stdout, /lonely +chain +○ pending .* no controller has looked at it yet\n/)
  assert.match(
    (await cli('explain', 'lonely')).stdout,
    /was not looked at by any controller yet\n {2}next: is a controller running/,
  )
  assert.match((await cli('pause', 'lonely')).stdout, /is asked to pause; no controller has answered yet/)
})

test('a run that its parameters keep from beginning ends a watch as bad input does', async t => {
  const { house, cli } = await here(t)
  house.apply(
    { kind: 'DAG', name: 'chain', spec: CHAIN },
    { kind: 'DagRun', name: 'wrong', spec: { dagName: 'chain', parameters: [{ name: 'NOPE', value: 'x' }] } },
  )
  const { code, stdout } = await cli('watch', 'wrong', '-o', 'lines')
  assert.equal(code, 2)
  assert.match(stdout, /○ wrong pending\n {2}.*NOPE/)
  assert.match(stdout, /kubectl edit dr wrong/)
})

test('kubectl kontroler is the same program', async t => {
  const { house } = await here(t)
  const [folder = ''] = await kubectlPrograms()
  await using who = await person(place.cluster.kubeconfig, [folder])
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  const words = ['kontroler', 'submit', 'chain', '-n', house.namespace, '--name', 'one', '-w', '-o', 'lines']
  const { code, stdout, stderr } = await who.run('kubectl', words)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /✔ one succeeded/)
  const help = await who.run('kubectl', ['kontroler', 'submit', '--help'])
  assert.match(help.stdout, /^Usage: kubectl kontroler submit /)
  const listed = await who.run('kubectl', ['kontroler', 'list', '-n', house.namespace, '-o', 'name'])
  assert.equal(listed.stdout, 'one\n')
})

test('names of the cluster are completed', async t => {
  const { house, cli, who } = await here(t)
  house.apply({ kind: 'DAG', name: 'chain', spec: CHAIN })
  await cli('submit', 'chain', '--name', 'one', '--wait')
  const complete = async (...words: readonly string[]): Promise<string> =>
    (await who.kontroler('__complete', '-n', house.namespace, ...words)).stdout
  assert.equal(await complete('submit', 'ch'), 'chain\tDAG\n:4\n')
  assert.match(await complete('get', 'o'), /^one\tsucceeded, .*\n:4\n$/)
  assert.equal(await complete('logs', 'one', ''), 'a\tsucceeded\nb\tsucceeded\nc\tsucceeded\n:4\n')
  assert.match(await complete('sub'), /^submit\t/)
})
