import assert from 'node:assert/strict'
import { dagRun, exampleRuns, type House } from './house.ts'
import { listOf } from './programs.ts'

const WAIT = '--timeout=180s'

interface RunObject {
  readonly metadata: { readonly name: string }
  readonly status?: { readonly phase?: string; readonly message?: string; readonly progress?: string }
}

/** Runs of a namespace, by name. */
export async function runsOf(
  { kubectl }: House,
  namespace: string,
): Promise<ReadonlyMap<string, NonNullable<RunObject['status']>>> {
  const { items } = JSON.parse(await kubectl(['get', 'dr', '-n', namespace, '-o', 'json'])) as {
    items: readonly RunObject[]
  }
  return new Map(items.map(({ metadata, status }) => [metadata.name, status ?? {}]))
}

/** Waits for the end of runs, whichever way, and gives their phases. */
export async function phasesOf(
  house: House,
  namespace: string,
  names: readonly string[],
): Promise<Record<string, string | undefined>> {
  await house.kubectl([
    'wait',
    '-n',
    namespace,
    '--for=condition=Complete',
    WAIT,
    ...names.map(name => `dr/${name}`),
  ])
  const runs = await runsOf(house, namespace)
  return Object.fromEntries(names.map(name => [name, runs.get(name)?.phase]))
}

/**
 * Applies the folder of examples as it stands, runs all of them at once, and holds their ends against what a laptop
 * says. The one that waits for a person is cancelled while it does.
 */
export async function examplesRun(house: House): Promise<void> {
  const { kubectl, team } = house
  await kubectl(['apply', '-n', team, '-f', 'examples/'])
  await kubectl(['wait', '-n', team, '--for=condition=Ready', WAIT, 'dag', '--all'])
  const runs = exampleRuns()
  await kubectl(
    ['create', '-n', team, '-f', '-'],
    listOf(...runs.map(({ dag, parameters }) => dagRun(dag, dag, parameters))),
  )
  const [ending, waiting] = [runs.filter(({ waits }) => !waits), runs.filter(({ waits }) => waits)]
  assert.deepEqual(
    await phasesOf(
      house,
      team,
      ending.map(({ dag }) => dag),
    ),
    Object.fromEntries(ending.map(({ dag, expect }) => [dag, expect])),
  )
  for (const { dag } of waiting) {
    assert.match((await runsOf(house, team)).get(dag)?.message ?? '', /waits for a person/)
    await kubectl(['patch', '-n', team, 'dr', dag, '--type=merge', '-p', '{"spec":{"cancel":true}}'])
    assert.deepEqual(await phasesOf(house, team, [dag]), { [dag]: 'cancelled' })
  }
}

/** What the command line and kubectl say of the examples: of one that succeeded, and of one that failed. */
export async function examplesTell({ kubectl, kontroler, team }: House): Promise<void> {
  const logs = await kontroler(['-n', team, 'logs', 'hello'])
  for (const line of ['greet', 'hello, world', 'report', 'all done, counted 3 words'])
    assert.ok(logs.includes(line), logs)
  // Two streams of a container have no order between them.
  const failure = await kontroler(['-n', team, 'logs', 'failure', 'test'])
  assert.deepEqual(failure.trim().split('\n').toSorted(), [
    'FAIL parser.test: expected 3, got 4',
    'running 128 tests',
  ])
  assert.match(await kontroler(['-n', team, 'explain', 'failure']), /test exited with code 3/)
  const described = await kubectl(['describe', '-n', team, 'dr/failure'])
  assert.match(described, /test exited with code 3 \(attempt 2 of 2\)/)
  assert.match(described, /Events:\n[^]*kontroler/)
}

/** Deletes what {@link examplesRun} applied; nothing of it is left but the pods that have ended. */
export async function examplesGo({ kubectl, team }: House): Promise<void> {
  await kubectl(['delete', '-n', team, 'dr', '--all', '--timeout=60s'])
  await kubectl(['delete', '-n', team, '-f', 'examples/', '--timeout=60s'])
  assert.equal(await kubectl(['get', '-n', team, 'dag,dr,dt', '-o', 'name']), '')
}

/** What a release has left in the namespaces of a house, but for what Kubernetes itself puts into each. */
export async function leftOver(
  { kubectl, own, team, otherTeam }: House,
  selector = '',
): Promise<readonly string[]> {
  const kinds = 'all,configmap,secret,pvc,role,rolebinding,serviceaccount,networkpolicy,pdb'
  const found: string[] = []
  for (const namespace of [own, team, otherTeam]) {
    const names = await kubectl(['get', kinds, '-n', namespace, '-l', selector, '-o', 'name'])
    for (const name of names.split('\n').filter(Boolean))
      if (!/^configmap\/kube-root-ca\.crt$|^serviceaccount\/default$/u.test(name))
        found.push(`${namespace} ${name}`)
  }
  return found
}
