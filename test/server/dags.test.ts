import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { dagHash } from '../../src/engine/dag-hash.ts'
import { ApiProblem } from '../../src/client/problem.ts'
import { dag } from '../contracts/store-records.ts'
import { type House, oneTask, openHouse } from './house.ts'

let house: House
before(async () => {
  house = await openHouse()
})
after(() => house.close())

const at = (name: string) => ({ params: { namespace: 'default', name } })
const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  const error: unknown = await promise.then(
    () => 'none',
    (caught: unknown) => caught,
  )
  return error instanceof ApiProblem ? `${error.status} ${error.code}` : String(error)
}

test('of two editors the second one is told, and what is there is not overwritten by chance', async () => {
  const editor = house.as('editor')
  const first = await editor.ask('putDag', { ...at('shared'), body: oneTask('shared', 'echo 1') })
  const etag = first.headers.get('etag') ?? ''
  const put = (script: string, headers: { 'if-match'?: string; 'if-none-match'?: string }) =>
    editor.ask('putDag', { ...at('shared'), body: oneTask('shared', script), headers })
  assert.equal(await codeOf(put('echo 2', {})), '428 PRECONDITION_REQUIRED')
  const second = await put('echo 2', { 'if-match': etag })
  assert.deepEqual([second.status, second.body.version], [200, 2])
  assert.equal(await codeOf(put('echo 3', { 'if-match': etag })), '412 DAG_CHANGED')
  assert.equal(await codeOf(put('echo 3', { 'if-none-match': '*' })), '412 DAG_CHANGED')
  assert.equal((await put('echo 3', { 'if-match': '*' })).body.version, 3)
  assert.equal(
    await codeOf(editor.call('deleteDag', { ...at('shared'), headers: { 'if-match': etag } })),
    '412 DAG_CHANGED',
  )
})

test('suspending is no version, but a change that another editor has to know of', async () => {
  const editor = house.as('editor')
  const made = await editor.ask('putDag', {
    ...at('nightly'),
    body: oneTask('nightly', 'true', 'schedule: "0 3 * * *"'),
  })
  const suspended = await editor.ask('suspendDag', at('nightly'))
  assert.deepEqual([suspended.body.suspended, suspended.body.version], [true, 1])
  assert.equal(suspended.body.hash, made.body.hash)
  const headers = { 'if-match': made.headers.get('etag') ?? '' }
  const body = oneTask('nightly', 'false', 'schedule: "0 3 * * *"')
  assert.equal(await codeOf(editor.call('putDag', { ...at('nightly'), body, headers })), '412 DAG_CHANGED')
  const next = await editor.call('nextFires', {
    ...at('nightly'),
    query: { limit: 2, from: '2026-11-25T08:00:00Z' },
  })
  assert.deepEqual(next.items, [
    { at: '2026-11-26T03:00:00.000Z', skippedReason: 'SUSPENDED' },
    { at: '2026-11-27T03:00:00.000Z', skippedReason: 'SUSPENDED' },
  ])
  assert.equal((await editor.call('unsuspendDag', at('nightly'))).suspended, false)
})

test('a DAG that is as the client knows it is not sent again', async () => {
  const { headers } = await house.as('viewer').ask('getDag', at('nightly'))
  const etag = headers.get('etag') ?? ''
  const response = await house.send('/api/v1/dags/default/nightly', {
    as: 'viewer',
    headers: { 'if-none-match': etag },
  })
  assert.deepEqual([response.status, await response.text()], [304, ''])
})

test('a DAG that a file holds is changed in the file', async () => {
  const filed = dag('filed')
  await house.store.putDag(filed, dagHash(filed), '/somewhere/filed.yaml', 1)
  const editor = house.as('editor')
  const shown = await editor.call('getDag', at('filed'))
  assert.deepEqual([shown.keeper, shown.mayEdit], ['file', false])
  const headers = { 'if-match': '*' }
  assert.equal(
    await codeOf(editor.call('putDag', { ...at('filed'), body: oneTask('filed', 'true'), headers })),
    '409 DAG_OWNED',
  )
  assert.equal(await codeOf(editor.call('suspendDag', at('filed'))), '409 DAG_OWNED')
  assert.equal(await codeOf(editor.call('deleteDag', at('filed'))), '409 DAG_OWNED')
})

test('versions stay: their content, their YAML', async () => {
  const viewer = house.as('viewer')
  const { items } = await viewer.call('listDagVersions', at('shared'))
  assert.deepEqual(
    items.map(({ version, current }) => [version, current]),
    [
      [3, true],
      [2, false],
      [1, false],
    ],
  )
  const source = await viewer.call('getDagSource', { params: { ...at('shared').params, version: 2 } })
  assert.match(source, /echo 2/)
  assert.equal(
    await codeOf(viewer.call('getDagVersion', { params: { ...at('shared').params, version: 9 } })),
    '404 UNKNOWN_DAG',
  )
})

test('JSON is taken as YAML is, and its mistakes have places too', async () => {
  const put = (body: string): Promise<Response> =>
    house.send('/api/v1/dags/default/json', {
      as: 'editor',
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body,
    })
  const text = {
    apiVersion: 'kontroler.greedykomodo/v1alpha1',
    kind: 'DAG',
    metadata: { name: 'json' },
    spec: { task: [{ name: 'a', image: 'x', command: ['true'], imgae: 'x' }] },
  }
  const refused = await put(JSON.stringify(text, null, 2))
  const problem = (await refused.json()) as { problems: { code: string; at: unknown; fix: string }[] }
  assert.equal(refused.status, 422)
  assert.deepEqual(
    problem.problems.map(({ code, at: place, fix }) => [code, place, fix]),
    [['FIELD_UNKNOWN', { line: 15, column: 9 }, 'did you mean image?']],
  )
})

test('a long document is read beside everything else, with the same problems', async () => {
  const tasks = Array.from({ length: 8_000 }, (_, index) => `    - {name: t${index}, image: x, command: [a]}`)
  const head =
    'apiVersion: kontroler.greedykomodo/v1alpha1\nkind: DAG\nmetadata: {name: long}\nspec:\n  task:\n'
  const body = `${head}${tasks.join('\n')}\n    - {name: last, imgae: x, command: [a]}\n`
  const editor = house.as('editor')
  const reading = editor.call('validate', { body })
  let answered = 0
  const others = (async () => {
    for (; answered < 20; answered += 1) await house.send('/health')
  })()
  const { problems } = await reading
  assert.deepEqual(
    problems.map(({ code, at: place }) => [code, place?.line]),
    [
      ['IMAGE_MISSING', 8_006],
      ['FIELD_UNKNOWN', 8_006],
    ],
  )
  await others
  assert.equal(answered, 20)
})

test('one document, and the one of the address', async () => {
  const put = (body: string) => codeOf(house.as('editor').call('putDag', { ...at('one'), body }))
  assert.equal(await put(oneTask('two', 'true')), '422 INVALID_DOCUMENT')
  assert.equal(await put(`${oneTask('one', 'true')}---\n${oneTask('two', 'true')}`), '422 INVALID_DOCUMENT')
  assert.equal(await put(''), '422 INVALID_DOCUMENT')
  assert.equal(await put('a: &b [*b]'), '422 INVALID_DOCUMENT')
})

test('a schedule that was made through the API starts runs, and none once the DAG is gone', async () => {
  const editor = house.as('editor')
  const body = oneTask('often', 'true', 'schedule: "* * * * *"')
  await editor.call('putDag', { ...at('often'), body })
  assert.notEqual(await house.store.highWater('default', 'often'), null)
  await editor.call('deleteDag', at('often'))
  assert.equal(await codeOf(editor.call('nextFires', at('often'))), '404 UNKNOWN_DAG')
})

test('nothing of this was a bug of the server', () => assert.deepEqual(house.troubles, []))
