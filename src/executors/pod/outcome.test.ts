import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { KEYS } from './names.ts'
import { deletedOutcome, type Look, lookAt } from './outcome.ts'
import type { ContainerStatus, Pod, PodStatus, Terminated } from './pod.ts'

const STARTED = '2026-01-01T00:00:00Z'
const NOW = Date.parse(STARTED) + 10_000

function pod(
  status: PodStatus,
  more: Partial<Pod['metadata']> = {},
  spec: Pod['spec'] = { nodeName: 'n1' },
): Pod {
  return {
    metadata: {
      name: 'a-1-x',
      uid: 'u',
      resourceVersion: '1',
      annotations: { [KEYS.container]: 'a', [KEYS.outputs]: '["size"]' },
      ...more,
    },
    spec,
    status: { startTime: STARTED, ...status },
  }
}
const task = (state: ContainerStatus['state']): ContainerStatus[] => [{ name: 'a', ...(state && { state }) }]
const ended = (exitCode: number, more: Partial<Terminated> = {}): PodStatus => ({
  phase: exitCode === 0 ? 'Succeeded' : 'Failed',
  containerStatuses: task({ terminated: { exitCode, finishedAt: '2026-01-01T00:00:05Z', ...more } }),
})
const waits = (reason: string, message = ''): PodStatus => ({
  phase: 'Pending',
  containerStatuses: task({ waiting: { reason, message } }),
})
const disrupted = (reason: string): NonNullable<PodStatus['conditions']> => [
  { type: 'DisruptionTarget', status: 'True', reason, message: 'so it is' },
]
const look = (of: Pod, stopAsked = false, now = NOW): Look => lookAt(of, { stopAsked, now })
/** `kind REASON exitCode`. */
const said = (of: Pod, stopAsked = false, now = NOW): string => {
  const seen = look(of, stopAsked, now)
  if (seen.kind === 'ended') return `${seen.outcome.kind} ${seen.outcome.reason} ${seen.outcome.exitCode}`
  if (seen.kind === 'running') return 'running'
  return `pending ${seen.why?.reason ?? ''}`.trim()
}

suite('an end by the task itself', () => {
  const table: readonly (readonly [string, Pod, string])[] = [
    ['success', pod(ended(0)), 'succeeded SUCCEEDED 0'],
    ['a code', pod(ended(3)), 'exitCode EXIT_CODE 3'],
    ['out of memory', pod(ended(137, { reason: 'OOMKilled' })), 'oomKilled OOM_KILLED 137'],
    ['killed by nobody we know', pod(ended(137)), 'exitCode EXIT_CODE 137'],
    ['a value', pod(ended(0, { message: 'size=3\n' })), 'succeeded SUCCEEDED 0'],
    [
      'a message as long as the kubelet lets through',
      pod(ended(0, { message: 'x'.repeat(4096) })),
      'configError OUTPUT_TOO_LARGE 0',
    ],
    [
      'an output that was not declared',
      pod(ended(0, { message: 'other=3' })),
      'configError OUTPUT_INVALID 0',
    ],
    [
      'a command that is not there',
      pod(ended(128, { reason: 'StartError', message: 'exec: "nope": executable file not found in $PATH' })),
      'configError COMMAND_NOT_FOUND null',
    ],
    [
      'a file that cannot be executed',
      pod(ended(126, { reason: 'ContainerCannotRun', message: 'exec: "/etc/passwd": permission denied' })),
      'configError NOT_EXECUTABLE null',
    ],
  ]
  for (const [what, of, expected] of table) test(what, () => assert.equal(said(of), expected))

  test('its time is that of the container, not ours', () => {
    const seen = look(pod(ended(0)))
    assert.ok(seen.kind === 'ended')
    assert.equal(seen.at, Date.parse('2026-01-01T00:00:05Z'))
  })

  test('a sidecar that goes on, or failed, changes nothing', () => {
    const sidecar: ContainerStatus = { name: 'proxy', state: { running: { startedAt: STARTED } } }
    const own = ended(0).containerStatuses ?? []
    assert.equal(
      said(pod({ phase: 'Running', containerStatuses: [sidecar, ...own] })),
      'succeeded SUCCEEDED 0',
    )
    const failed: ContainerStatus = { name: 'proxy', state: { terminated: { exitCode: 1 } } }
    assert.equal(said(pod({ phase: 'Failed', containerStatuses: [failed, ...own] })), 'succeeded SUCCEEDED 0')
  })
})

suite('an end that we asked for', () => {
  test('TERM and KILL are named, and the code of a task that used its grace counts', () => {
    assert.equal(said(pod(ended(143)), true), 'exitCode KILLED_BY_SIGNAL 143')
    assert.equal(said(pod(ended(137)), true), 'exitCode KILLED_BY_SIGNAL 137')
    assert.equal(said(pod(ended(5)), true), 'exitCode EXIT_CODE 5')
  })

  test('another engine that asked is seen by the deadline it gave', () => {
    const spec = { nodeName: 'n1', activeDeadlineSeconds: 1 }
    assert.equal(said(pod(ended(137), {}, spec)), 'exitCode KILLED_BY_SIGNAL 137')
  })

  test('a pod that never ran a container was never started', () => {
    assert.equal(said(pod({ phase: 'Failed', reason: 'DeadlineExceeded' }), true), 'cancelled CANCELLED null')
    assert.equal(deletedOutcome(pod({ phase: 'Pending' }), true).kind, 'cancelled')
  })
})

suite('an end from outside', () => {
  const table: readonly (readonly [string, Pod, string])[] = [
    [
      'evicted by its node',
      pod({ phase: 'Failed', reason: 'Evicted', message: 'low on memory' }),
      'disrupted EVICTED null',
    ],
    [
      'drained',
      pod({ ...ended(143), conditions: disrupted('EvictionByEvictionAPI') }),
      'disrupted DRAINED 143',
    ],
    [
      'preempted',
      pod({ ...ended(143), conditions: disrupted('PreemptionByScheduler') }),
      'disrupted PREEMPTED 143',
    ],
    [
      'ended by a kubelet short of memory',
      pod({ ...ended(137), conditions: disrupted('TerminationByKubelet') }),
      'disrupted EVICTED 137',
    ],
    [
      'a node that is gone',
      pod({ phase: 'Failed', conditions: disrupted('DeletionByPodGC') }),
      'lost NODE_LOST null',
    ],
    ['deleted by a person', pod(ended(137), { deletionTimestamp: STARTED }), 'disrupted POD_DELETED 137'],
    [
      'turned away by its node',
      pod({ phase: 'Failed', reason: 'OutOfcpu', message: 'full' }),
      'disrupted DISRUPTED null',
    ],
    ['an end that nobody explains', pod({ phase: 'Failed' }), 'startError START_ERROR null'],
  ]
  for (const [what, of, expected] of table) test(what, () => assert.equal(said(of), expected))

  test('a success stays one, even of a pod that somebody deletes', () => {
    assert.equal(
      said(pod({ ...ended(0), conditions: disrupted('EvictionByEvictionAPI') })),
      'succeeded SUCCEEDED 0',
    )
  })

  test('a pod that vanished while it ran is lost; of a drained one it is known why', () => {
    const running = { phase: 'Running', containerStatuses: task({ running: {} }) }
    assert.equal(deletedOutcome(pod(running), false).reason, 'POD_DELETED')
    assert.equal(deletedOutcome(pod(running), false).kind, 'lost')
    const drained = pod({ ...running, conditions: disrupted('EvictionByEvictionAPI') })
    assert.equal(deletedOutcome(drained, false).reason, 'DRAINED')
  })

  test('an init container that failed is named, with its code', () => {
    const initContainerStatuses = [{ name: 'setup', state: { terminated: { exitCode: 4 } } }]
    const seen = look(
      pod({
        phase: 'Failed',
        initContainerStatuses,
        containerStatuses: task({ waiting: { reason: 'PodInitializing' } }),
      }),
    )
    assert.ok(seen.kind === 'ended')
    assert.equal(seen.outcome.reason, 'INIT_FAILED')
    assert.equal(seen.outcome.message, 'init container setup exited with code 4')
  })
})

suite('a pod that does not run yet', () => {
  test('says nothing while all goes its way', () => {
    for (const reason of ['ContainerCreating', 'PodInitializing'])
      assert.equal(said(pod(waits(reason))), 'pending')
    assert.equal(said(pod({ phase: 'Pending' })), 'pending')
  })

  test('waits for a node for as long as it takes', () => {
    const conditions = [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' },
    ]
    const seen = look(pod({ phase: 'Pending', conditions }), false, NOW + 10 ** 9)
    assert.deepEqual(seen, {
      kind: 'pending',
      why: { reason: 'UNSCHEDULABLE', message: '0/1 nodes' },
      giveUp: null,
    })
  })

  const bounded: readonly (readonly [string, PodStatus, why: string, end: string])[] = [
    [
      'a registry that has no such image',
      waits('ImagePullBackOff', 'not found'),
      'IMAGE_PULL',
      'IMAGE_ERROR',
    ],
    [
      'a Secret that is not there',
      waits('CreateContainerConfigError', 'secret "x" not found'),
      'CONTAINER_CONFIG',
      'SECRET_MISSING',
    ],
    [
      'a ConfigMap that is not there',
      waits('CreateContainerConfigError', 'configmap "x" not found'),
      'CONTAINER_CONFIG',
      'CONFIG_MISSING',
    ],
    [
      'a container that cannot be made',
      waits('CreateContainerError', 'no such device'),
      'STARTING',
      'START_ERROR',
    ],
  ]
  for (const [what, status, why, end] of bounded)
    test(`gives up in the end: ${what}`, () => {
      const seen = look(pod(status))
      assert.ok(seen.kind === 'pending' && seen.giveUp !== null)
      assert.equal(seen.why?.reason, why)
      assert.equal(seen.giveUp.outcome.reason, end)
      assert.ok(seen.giveUp.at > NOW && seen.giveUp.at <= NOW + 120_000)
    })

  test('does not wait for a name that is no name', () => {
    const seen = look(pod(waits('InvalidImageName', 'a b')))
    assert.ok(seen.kind === 'pending' && seen.giveUp !== null && seen.giveUp.at <= NOW)
  })
})
