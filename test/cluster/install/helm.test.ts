import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NEEDS_OWN } from '../shared.ts'
import { dag, dagRun, houseOf, RELEASE, until } from './house.ts'
import { listOf } from './programs.ts'
import { examplesGo, examplesRun, examplesTell, leftOver, phasesOf, runsOf } from './scenes.ts'

const TASK = { image: 'busybox' }
/** Each task says once that it has begun, and takes long enough for somebody to be killed meanwhile. */
const STEPS = ['one', 'two', 'three'].map((name, index, all) => ({
  ...TASK,
  name,
  script: `echo begun ${name}; sleep 1`,
  ...(index === 0 ? {} : { runAfter: [all[index - 1]] }),
}))
const SLEEPERS = ['a', 'b', 'c'].map(name => ({ ...TASK, name, command: ['sleep', '600'] }))

describe('installed by helm, with SQLite and files', { skip: NEEDS_OWN, timeout: 600_000 }, () => {
  const house = houseOf('helm')

  test('it is there in one go, in a namespace that lets in restricted pods only', async () => {
    const { helm, kubectl, chart, own, asked } = house()
    await helm(['install', ...chart({}), '--wait', '--timeout', '90s'])
    assert.match(await asked('readyz'), /"status":"ok"/)
    assert.match(await asked('metrics'), /^kontroler_build_info/m)
    const kinds = 'networkpolicy,pdb,service,pvc'
    const made = await kubectl(['get', kinds, '-n', own, '-o', 'name'])
    assert.equal(made.trim().split('\n').length, 4, made)
  })

  test('each example ends as on a laptop', async () => await examplesRun(house()))
  test('logs and Events say what happened', async () => await examplesTell(house()))
  test('what was applied is deleted', async () => await examplesGo(house()))

  test('its pod is removed by force in the middle of a run: every task has begun once, and the run ends well', async () => {
    const { kubectl, own, team, pods, ready } = house()
    await kubectl(['apply', '-n', team, '-f', '-'], listOf(dag('steps', STEPS)))
    await kubectl(['create', '-n', team, '-f', '-'], listOf(dagRun('steps', 'steps')))
    const mine = ['-n', team, '-l', 'kontroler.greedykomodo/run-name=steps']
    await until(async () => (await kubectl(['get', 'pods', ...mine])).includes('two-1'))
    const [killed = ''] = await pods()
    await kubectl(['delete', killed, '-n', own, '--grace-period=0', '--force'])
    await ready()
    assert.ok(!(await pods()).includes(killed))
    assert.deepEqual(await phasesOf(house(), team, ['steps']), { steps: 'succeeded' })
    const logs = await kubectl(['logs', ...mine, '--tail=-1'])
    assert.deepEqual(logs.trim().split('\n').toSorted(), STEPS.map(({ name }) => `begun ${name}`).toSorted())
  })

  test('a second replica is refused, and says why; the first goes on', async () => {
    const { kubectl, own, team, pods, ready } = house()
    const [first = ''] = await pods()
    await kubectl(['scale', `deployment/${RELEASE}`, '-n', own, '--replicas=2'])
    await until(async () => (await pods()).length === 2)
    await kubectl(['create', '-n', team, '-f', '-'], listOf(dagRun('beside', 'steps')))
    assert.deepEqual(await phasesOf(house(), team, ['beside']), { beside: 'succeeded' })
    const second = (await pods()).find(name => name !== first) ?? ''
    // The container of the first try, or of one after it.
    await until(async () => {
      const logs = await Promise.all(
        [[], ['--previous']].map(more => kubectl(['logs', second, '-n', own, ...more]).catch(() => '')),
      )
      return logs.join().includes('kontroler.db is held by another controller; a SQLite file serves one')
    })
    await kubectl(['scale', `deployment/${RELEASE}`, '-n', own, '--replicas=1'])
    await until(async () => (await pods()).length === 1)
    assert.deepEqual(await pods(), [first])
    await ready()
  })

  test('a changed value is a new pod, which knows what there was', async () => {
    const { helm, kubectl, chart, own, team, pods } = house()
    const before = await pods()
    const runs = await runsOf(house(), team)
    await helm(['upgrade', ...chart({ maxParallel: 7 }), '--wait', '--timeout', '90s'])
    assert.notDeepEqual(await pods(), before)
    assert.deepEqual(await runsOf(house(), team), runs)
    await kubectl(['create', '-n', team, '-f', '-'], listOf(dagRun('after', 'steps')))
    assert.deepEqual(await phasesOf(house(), team, ['after']), { after: 'succeeded' })
    assert.match(
      await kubectl(['logs', `deployment/${RELEASE}`, '-n', own]),
      /"message":"the controller runs"/,
    )
  })

  test('a namespace with runs in it can be deleted; the others go on, after a restart too', async () => {
    const { kubectl, own, team, otherTeam, pods } = house()
    await kubectl(['apply', '-n', otherTeam, '-f', '-'], listOf(dag('sleepers', SLEEPERS)))
    await kubectl(['create', '-n', otherTeam, '-f', '-'], listOf(dagRun('sleepers', 'sleepers')))
    await kubectl([
      'wait',
      '-n',
      otherTeam,
      '--for=jsonpath={.status.phase}=running',
      'dr/sleepers',
      '--timeout=60s',
    ])
    await kubectl(['delete', 'namespace', otherTeam, '--timeout=60s'])
    const [old = ''] = await pods()
    await kubectl(['delete', old, '-n', own])
    await kubectl(['create', '-n', team, '-f', '-'], listOf(dagRun('later', 'steps')))
    assert.deepEqual(await phasesOf(house(), team, ['later']), { later: 'succeeded' })
    // Whoever asks is told what it cannot do.
    const [pod = ''] = await pods()
    await assert.rejects(kubectl(['wait', pod, '-n', own, '--for=condition=Ready', '--timeout=1s']))
    assert.match(
      await kubectl(['logs', pod, '-n', own]),
      new RegExp(`"some namespaces may not be looked at[^"]*","refused":\\["${otherTeam}"\\]`),
    )
  })

  test('a namespace that comes back is looked after again', async () => {
    const { kubectl, helm, chart, otherTeam, ready } = house()
    await kubectl(['create', 'namespace', otherTeam])
    // Its role went with it.
    await helm(['upgrade', ...chart({ maxParallel: 7 })])
    await ready()
    await kubectl(['apply', '-n', otherTeam, '-f', '-'], listOf(dag('steps', STEPS)))
    await kubectl(['create', '-n', otherTeam, '-f', '-'], listOf(dagRun('back', 'steps')))
    assert.deepEqual(await phasesOf(house(), otherTeam, ['back']), { back: 'succeeded' })
  })

  test('uninstalled, the claim stays, and what the page names goes by the command it gives', async () => {
    const { helm, kubectl, own, team, otherTeam } = house()
    await helm(['uninstall', RELEASE, '-n', own, '--wait'])
    const kinds = 'pods,configmaps,persistentvolumeclaims'
    for (const namespace of [team, otherTeam])
      await kubectl([
        'delete',
        kinds,
        '-n',
        namespace,
        '-l',
        `kontroler.greedykomodo/installation=${RELEASE}`,
      ])
    assert.deepEqual(await leftOver(house()), [`${own} persistentvolumeclaim/kontroler-state`])
  })
})
