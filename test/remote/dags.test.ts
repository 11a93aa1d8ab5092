import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text as bodyOf } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { openClient } from '../../src/client/client.ts'
import { fake, json, problem } from './fake.ts'
import { type Served, served, tokenOf } from './server.ts'

let at: Served
before(async () => {
  at = await served(async here => {
    await mkdir(join(here.folder, 'dags'))
    await writeFile(join(here.folder, 'dags/filed.yaml'), document('filed', 'true'))
  })
})
after(() => at.close())

function document(name: string, script: string): string {
  return `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: ${name}}
spec:
  parameters: [{name: COUNT, type: integer, defaultValue: "1"}]
  task: [{name: only, image: busybox, script: "${script}"}]
`
}

async function file(name: string, text: string): Promise<string> {
  const path = join(at.place.folder, name)
  await writeFile(path, text)
  return path
}

test('a DAG: applied, unchanged, changed, planned, run, deleted; its runs stay', async () => {
  const path = await file('own.yaml', document('own', 'echo one'))
  const lines = async (...words: readonly string[]): Promise<readonly string[]> =>
    (await at.there(...words)).stdout.trimEnd().split('\n')
  assert.equal((await lines('apply', '-f', path))[0], 'DAG default/own is created: version 1')
  assert.equal((await lines('apply', path))[0], 'DAG default/own is unchanged: version 1')
  await file('own.yaml', document('own', 'echo two'))
  const plan = await at.there('plan', path)
  assert.match(plan.stdout, /^DAG own: 1 task, would be a new version \(current: 1\)$/m)
  assert.match(plan.stdout, /^ {2}~ task only: script$/m)
  const { dags } = JSON.parse((await at.there('apply', path, '-o', 'json')).stdout)
  assert.deepEqual([dags.length, dags[0].version, dags[0].keeper], [1, 2, 'api'])
  const submitted = await at.there('submit', 'own', '--name', 'own-run', '--watch', '-o', 'lines')
  assert.equal(submitted.code, 0)
  assert.match(submitted.stdout, /✔ own-run succeeded/)
  assert.equal(
    (await at.there('delete', 'own')).stdout,
    'DAG default/own is deleted; its runs and versions stay\n',
  )
  assert.match((await at.there('get', 'own-run')).stdout, /^ {2}dag +own \(version 2\)$/m)
  assert.equal((await at.there('logs', 'own-run', 'only')).stdout, 'two\n')
  assert.match((await at.there('delete', 'own')).stderr, /^error UNKNOWN_DAG: there is no DAG default\/own\n/)
  assert.match((await at.there('submit', 'own')).stderr, /^error UNKNOWN_DAG: there is no DAG default\/own\n/)
})

test('a DAG of a watched file is changed in its file', async () => {
  const path = await file('filed.yaml', document('filed', 'false'))
  for (const words of [
    ['apply', path],
    ['apply', '--force', path],
    ['delete', 'filed'],
  ]) {
    const { code, stderr } = await at.there(...words)
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^error DAG_OWNED: DAG default\/filed is kept in a file\n +fix: change it where it is kept/,
    )
  }
})

test('of two editors the second one is told', async t => {
  const path = await file('shared.yaml', document('shared', 'echo one'))
  await at.there('apply', path)
  await file('shared.yaml', document('shared', 'echo two'))
  assert.equal((await at.there('apply', path, '--if-version', '1')).code, 0)
  const late = await at.there('apply', path, '--if-version', '1')
  assert.equal(late.code, 1)
  assert.match(
    late.stderr,
    /^error DAG_CHANGED: the change was made from version 1, and version 2 is in force\n/,
  )
  assert.match((await at.there('delete', 'shared', '--if-version', '1')).stderr, /^error DAG_CHANGED/)

  // Somebody changes it between our look and our change.
  const client = openClient({ url: at.url, token: tokenOf(at) })
  const params = { namespace: 'default', name: 'shared' }
  const between = await fake(t, (request, response) => {
    const through = async (): Promise<void> => {
      const text = await bodyOf(request)
      if (request.method !== 'GET') {
        const put = (headers: { readonly 'if-match'?: string }) =>
          client.call('putDag', { params, headers, body: document('shared', 'echo mine') })
        await put({}).catch(() => put({ 'if-match': '*' }))
      }
      const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers
      const answer = await fetch(`${at.url}${request.url}`, {
        method: request.method ?? 'GET',
        headers: headers as Record<string, string>,
        ...(text === '' ? {} : { body: text }),
      })
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
    }
    through().catch((error: unknown) => response.destroy(error as Error))
  })
  await file('shared.yaml', document('shared', 'echo three'))
  const ask = (...words: readonly string[]) =>
    at.place.start(['--server', between.url, ...words], { env: { KONTROLER_TOKEN: tokenOf(at) } }).ended
  const lost = await ask('apply', path)
  assert.match(
    lost.stderr,
    /^error DAG_CHANGED: the DAG was changed since you read it\n +fix: see what it is now/,
  )
  assert.match((await at.there('export', 'shared')).stdout, /echo mine/)
  const forced = await ask('apply', '--force', path)
  assert.match(forced.stdout, /^DAG default\/shared is in force: version 4/, forced.stderr)
  // It is gone when we look, and there again when we come.
  assert.equal((await at.there('delete', 'shared')).code, 0)
  assert.match((await ask('apply', path)).stderr, /^error DAG_CHANGED: there is such a DAG already/)
  assert.equal((await at.there('delete', 'shared')).code, 0)
  assert.equal((await ask('apply', '--force', path)).code, 0)
})

test('what is wrong with files is told with its place, and nothing is sent', async t => {
  const server = await fake(t, (_, response) => json(response, {}))
  const ask = (...words: readonly string[]) =>
    at.place.start(['--server', server.url, ...words], { env: { KONTROLER_TOKEN: 'x' } }).ended
  const bad = await file('bad.yaml', document('bad', 'true').replace('task:', 'tsk:'))
  const { code, stderr } = await ask('apply', bad)
  assert.deepEqual([code, server.asked.length], [2, 0])
  assert.match(stderr, /bad\.yaml:6:3: error FIELD_UNKNOWN/)
  const run = await file(
    'run.yaml',
    document('x', 'true').replace(
      /kind: DAG\n[\s\S]*/,
      'kind: DagRun\nmetadata: {name: r}\nspec: {dagName: x}\n',
    ),
  )
  assert.match(
    (await ask('apply', run)).stderr,
    /^error DAGS_ONLY: .*a DagRun\n +fix: start it with: kontroler submit -f/,
  )
  assert.match((await ask('apply')).stderr, /^error BAD_OPTION: which files/)
  assert.match((await ask('apply', bad, '--if-version', '1', '--force')).stderr, /^error BAD_OPTION/)
  assert.equal(server.asked.length, 0)
})

test('one of several that is refused does not keep the others back', async () => {
  const path = await file('two.yaml', `${document('filed', 'no')}---\n${document('second', 'true')}`)
  const { code, stdout, stderr } = await at.there('apply', path)
  assert.equal(code, 1)
  assert.match(stdout, /^DAG default\/second is created: version 1\n/)
  assert.match(stderr, /^error DAG_OWNED/)
})

test('a run is submitted from a file, with parameters that are checked', async () => {
  await at.there('apply', await file('counted.yaml', document('counted', 'echo $COUNT')))
  const run =
    'apiVersion: kontroler.greedykomodo/v1alpha1\nkind: DagRun\nmetadata: {name: from-file, labels: {a: b}}\n'
  const path = await file(
    'from-file.yaml',
    `${run}spec:\n  dagName: counted\n  parameters: [{name: COUNT, value: "7"}]\n`,
  )
  assert.equal((await at.there('submit', '-f', path, '--wait')).code, 0)
  const { parameters, labels, trigger } = JSON.parse(
    (await at.there('get', 'from-file', '-o', 'json')).stdout,
  )
  assert.deepEqual(
    [parameters, labels, trigger.kind],
    [[{ name: 'COUNT', value: '7' }], { a: 'b' }, 'manual'],
  )
  const wrong = await at.there('submit', 'counted', '-p', 'COUNT=many', '-p', 'NO=1')
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /error PARAMETER_\w+[\s\S]*error PARAMETER_\w+/)
  assert.match((await at.there('submit', 'counted', '--name', 'from-file')).stderr, /^error RUN_EXISTS/)
  const started = await at.there('submit', 'counted', '--name', 'plain')
  assert.equal(
    started.stdout,
    'run plain of DAG counted is submitted\n  watch: kontroler watch plain\n  logs:  kontroler logs -f plain\n',
  )
})

test('a server that finds more wrong than we do: all of it is told', async t => {
  const server = await fake(t, (request, response) => {
    if (request.method === 'GET') return problem(response, 404, 'UNKNOWN_DAG')
    problem(response, 422, 'INVALID_DOCUMENT')
  })
  const path = await file('fine.yaml', document('fine', 'true'))
  const { code, stderr } = await at.place.start(['--server', server.url, 'apply', path], {
    env: { KONTROLER_TOKEN: 'x' },
  }).ended
  assert.deepEqual(
    [code, stderr],
    [2, 'error INVALID_DOCUMENT: detail of INVALID_DOCUMENT\n  fix: what to do\n'],
  )
})
