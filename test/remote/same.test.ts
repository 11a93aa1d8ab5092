import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { EXAMPLES, type Ended, until } from '../cli/program.ts'
import { type Served, plain, served } from './server.ts'

/** The same words about a state directory, and about a server over it: what is printed is the same. */
let at: Served
before(async () => {
  at = await served(async here => {
    const example = (name: string): string => join(EXAMPLES, `${name}.yaml`)
    const run = (name: string, ...words: readonly string[]) =>
      here.start(['run', example(name), '-o', 'none', ...words], { env: { KONTROLER_EXECUTOR: 'process' } })
        .ended
    await run('hello', '--name', 'hello-one', '-p', 'WHO=moon', '-l', 'team=sky')
    await run('failure', '--name', 'failure-one')
    await run('fan-out', '--name', 'fan-one')
    const asks = '    - {name: ask, approval: {message: go on}}\n'
    await here.dag('asking', `${asks}    - {name: then, image: x, runAfter: [ask], command: ["true"]}\n`)
    const fails = '    - {name: a, image: x, script: "exit 3"}\n    - {name: b, image: x, script: "echo b"}\n'
    await here.dag('fails', fails, '  parameters: [{name: N, type: integer, defaultValue: "1"}]\n')
    await mkdir(join(here.folder, 'dags'))
  })
})
after(() => at.close())

async function same(...words: readonly string[]): Promise<void> {
  const [here, there] = [await at.here(...words), await at.there(...words)]
  assert.deepEqual(outcome(there), outcome(here), words.join(' '))
}

const outcome = (ended: Ended) => ({
  code: ended.code,
  stdout: placeless(plain(ended.stdout)),
  stderr: plain(ended.stderr),
})

/** Where a log lies, and where a DAG came from: each place says its own. */
const placeless = (text: string): string =>
  text
    .replaceAll(/(?:http:\/\/127\.0\.0\.1:\d+)\/api\/v1\/runs\/\S+?\/log\?attempt=\d+/g, 'LOG')
    .replaceAll(/\/\S*\/attempts\/\S+\/log|\/\S+\/state\/\S+\/log/g, 'LOG')
    .replaceAll(/"source": .*|source: .*/g, 'source')

const READING: readonly (readonly string[])[] = [
  ['list'],
  ['list', '--phase', 'failed'],
  ['list', '-l', 'team=sky', '-o', 'json'],
  ['list', '--dag', 'fan-out', '-o', 'yaml'],
  ['list', '-o', 'wide'],
  ['list', '--limit', '2', '-o', 'name'],
  ['list', '--children', '--all', '-o', 'name'],
  ['list', '--since', '2999-01-01'],
  ['list', 'dags'],
  ['list', 'dags', '-o', 'json'],
  ['list', 'dags', '--dag', 'hello', '-o', 'name'],
  ['list', 'dags', '--phase', 'failed'],
  ['get', 'hello-one'],
  ['get', 'failure-one', '-o', 'json'],
  ['get', 'fan-one', '-o', 'wide'],
  ['get', '@last', '-o', 'yaml'],
  ['get', 'failure-one', 'test'],
  ['get', 'fan-one', 'shard[1]', '-o', 'json'],
  ['get', 'hello-one', 'nothing'],
  ['get', 'nothing-like-that'],
  ['get', 'nothing-like-that', '-o', 'json'],
  ['get', 'f'],
  ['explain', 'failure-one'],
  ['explain', 'failure-one', 'deploy', '-o', 'json'],
  ['explain', 'hello-one'],
  ['logs', 'hello-one'],
  ['logs', 'failure-one', 'test'],
  ['logs', 'failure-one', '--failed', '--tail', '1'],
  ['logs', 'failure-one', 'test', '--attempt', '1'],
  ['logs', 'failure-one', 'test', '--since-start'],
  ['logs', 'failure-one', 'deploy'],
  ['logs', 'fan-one', '--task', 'shard'],
  ['logs', 'fan-one', '-f'],
  ['watch', 'failure-one'],
  ['watch', 'hello-one', '-o', 'json'],
  ['watch', 'fan-one', '-o', 'none'],
  ['export', 'hello'],
  ['export', 'failure-one', '-o', 'json'],
  ['export', 'hello', '--revision', '7'],
  ['plan', join(EXAMPLES, 'hello.yaml'), '-o', 'json'],
  ['schedule', 'preview', 'hello'],
  ['schedule', 'history', 'hello'],
  ['schedule', 'history', 'nothing'],
  ['validate', join(EXAMPLES, 'hello.yaml')],
]

describe('commands that look', { concurrency: 2 }, () => {
  for (const words of READING) {
    // What an executor of this machine ignores is not said of a server's; the rest of the plan is.
    const isPlan = words[0] === 'plan'
    test(words.join(' ').replace(`${EXAMPLES}/`, ''), async () => {
      if (!isPlan) return await same(...words)
      const [here, there] = [await at.here(...words), await at.there(...words)]
      assert.deepEqual({ ...JSON.parse(there.stdout), notes: [] }, { ...JSON.parse(here.stdout), notes: [] })
    })
  }
})

/** Two runs of one DAG that the server drives; one is for commands here, one for commands there. */
async function twins(name: string): Promise<readonly [here: string, there: string]> {
  const file = join(at.place.folder, `${name}.yaml`)
  assert.equal((await at.there('apply', file)).code, 0)
  const names = [`${name}-here`, `${name}-there`] as const
  for (const run of names) assert.equal((await at.there('submit', name, '--name', run)).code, 0)
  return names
}

async function both(
  [here, there]: readonly [string, string],
  words: (run: string) => readonly string[],
): Promise<void> {
  const as = (ended: Ended) => {
    const twin = (text: string): string => text.replaceAll(there, 'twin').replaceAll(here, 'twin')
    return outcome({ ...ended, stdout: twin(ended.stdout), stderr: twin(ended.stderr) })
  }
  const first = as(await at.here(...words(here)))
  assert.deepEqual(as(await at.there(...words(there))), first, words(here).join(' '))
}

test('commands that change a run say the same and leave it the same', async () => {
  const runs = await twins('asking')
  await until(async () => {
    const found = await Promise.all(runs.map(run => at.there('explain', run, 'ask', '-o', 'json')))
    return found.every(({ stdout }) => stdout.includes('WAITING_FOR_APPROVAL'))
  })
  await both(runs, run => ['pause', run])
  await both(runs, run => ['get', run])
  await both(runs, run => ['explain', run])
  await both(runs, run => ['resume', run])
  await both(runs, run => ['approve', run, 'nothing'])
  await both(runs, run => ['approve', run, '-p', 'NO=field'])
  await both(runs, run => ['approve', run, '-m', 'good'])
  await both(runs, run => ['approve', run])
  await both(runs, run => ['watch', run, '-o', 'none'])
  for (const words of [['cancel'], ['pause'], ['resume'], ['retry'], ['cancel', 'nothing-there']])
    await both(runs, run => [...words.slice(0, 1), run, ...words.slice(1)])
})

test('cancel waits for the end', async () => {
  await writeFile(
    join(at.place.folder, 'slow.yaml'),
    'apiVersion: kontroler.greedykomodo/v1alpha1\nkind: DAG\nmetadata: {name: slow}\nspec:\n' +
      '  task: [{name: a, image: x, script: "sleep 60"}]\n',
  )
  await both(await twins('slow'), run => ['cancel', run])
})

test('retry and fork begin a new run, show it, and end as it does', async () => {
  const runs = await twins('fails')
  await until(async () => (await at.there('watch', runs[1], '-o', 'none')).code === 1)
  await at.there('watch', runs[0], '-o', 'none')
  await both(runs, run => ['retry', run, '-p', 'N=many'])
  await both(runs, run => ['fork', run, '--from', 'nothing'])
  await both(runs, run => ['retry', run, '-o', 'none'])
  const here = await at.here('fork', runs[0], '-o', 'json')
  const there = await at.there('fork', runs[1], '-o', 'json')
  const types = (text: string): readonly string[] => {
    const found = text.trimEnd().split('\n')
    return found.map(line => String(JSON.parse(line).type)).toSorted((one, two) => one.localeCompare(two))
  }
  assert.deepEqual([there.code, types(there.stdout)], [here.code, types(here.stdout)])
  assert.equal(there.stderr, here.stderr)
})
