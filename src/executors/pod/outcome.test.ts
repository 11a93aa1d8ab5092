import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GATE, KEYS } from './names.ts'
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
      annotations: { [KEYS.attempt]: 'r/a/1', [KEYS.outputs]: '["size"]' },
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
const disrupted = (reason: string, lastTransitionTime?: string): NonNullable<PodStatus['conditions']> => [
  {
    type: 'DisruptionTarget',
    status: 'True',
    reason,
    message: 'so it is',
    ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }),
  },
]
/** What a kubelet writes of a container that it does not find, or never made. */
const notFound = (containerID?: string): PodStatus => ({
  phase: 'Failed',
  containerStatuses: [
    {
      name: 'a',
      restartCount: 1,
      ...(containerID === undefined ? {} : { containerID }),
      state: {
        terminated: {
          exitCode: 137,
          reason: 'ContainerStatusUnknown',
          message: 'The container could not be located when the pod was terminated',
        },
      },
    },
  ],
})
const init = (name: string, terminated: Terminated): ContainerStatus => ({ name, state: { terminated } })
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

suite('outputs', () => {
  const containers = (count: number) => Array.from({ length: count }, (_, index) => ({ name: `c${index}` }))
  const wrote = (bytes: number, count: number): Pod =>
    pod(ended(0, { message: `size=${'7'.repeat(bytes - 5)}` }), {}, { containers: containers(count) })

  test('are 4095 bytes, or less where many containers share what a kubelet hands on', () => {
    assert.equal(said(wrote(4095, 1)), 'succeeded SUCCEEDED 0')
    assert.equal(said(wrote(4095, 3)), 'succeeded SUCCEEDED 0')
    assert.equal(said(wrote(4096, 1)), 'configError OUTPUT_TOO_LARGE 0')
    assert.equal(said(wrote(3071, 4)), 'succeeded SUCCEEDED 0')
    const cut = look(wrote(3072, 4))
    assert.ok(cut.kind === 'ended')
    assert.equal(
      cut.outcome.message,
      'wrote more than 3071 bytes to $KONTROLER_OUTPUT, which is the share of one of 4 containers',
    )
  })

  test('are not made up for a pod that succeeded without a word', () => {
    const silent = { phase: 'Succeeded' }
    assert.equal(said(pod(silent)), 'lost LOST null')
    assert.equal(said(pod(silent, { annotations: { [KEYS.attempt]: 'r/a/1' } })), 'succeeded SUCCEEDED 0')
  })
})

suite('a container that its node does not find', () => {
  test('has ended, nobody knows how', () => {
    assert.equal(said(pod(notFound('containerd://1'))), 'lost LOST null')
    const evicted = { ...notFound('containerd://1'), reason: 'Evicted' }
    assert.equal(said(pod(evicted)), 'disrupted EVICTED null')
  })

  test('was never started when it was never made', () => {
    assert.equal(said(pod(notFound()), true), 'cancelled CANCELLED null')
    assert.equal(said(pod(notFound(), { deletionTimestamp: STARTED })), 'disrupted POD_DELETED null')
    assert.equal(said(pod(notFound())), 'startError START_ERROR null')
  })

  test('ends when the pod last changed, so that it always says the same', () => {
    const conditions = [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:00:07Z' }]
    const seen = look(pod({ ...notFound('containerd://1'), conditions }))
    assert.ok(seen.kind === 'ended')
    assert.equal(seen.at, Date.parse('2026-01-01T00:00:07Z'))
  })
})

suite('a task whose node started it again', () => {
  const again = (exitCode: number): Pod => {
    const status = ended(exitCode)
    return pod({
      ...status,
      containerStatuses: (status.containerStatuses ?? []).map(one => ({ ...one, restartCount: 2 })),
    })
  }

  test('ends as it did, and that is said', () => {
    for (const code of [0, 3]) {
      const seen = look(again(code))
      assert.ok(seen.kind === 'ended')
      assert.match(seen.outcome.message ?? '', /after its node had started it 3 times/)
    }
  })
})

suite('memory', () => {
  test('names the limit; a child that was killed for want of it is not the task', () => {
    const spec = {
      nodeName: 'n1',
      containers: [{ name: 'a', resources: { limits: { memory: '64Mi' } } }],
    }
    const seen = look(pod(ended(137, { reason: 'OOMKilled' }), {}, spec))
    assert.ok(seen.kind === 'ended')
    assert.equal(seen.outcome.message, 'used more memory than its limit of 64Mi')
    const child = look(pod(ended(1, { reason: 'OOMKilled' })))
    assert.ok(child.kind === 'ended')
    assert.equal(child.outcome.reason, 'EXIT_CODE')
    assert.match(child.outcome.message ?? '', /one of its processes was killed for want of memory/)
  })
})

suite('init containers', () => {
  const failed = (one: ContainerStatus, more: PodStatus = {}): PodStatus => ({
    phase: 'Failed',
    initContainerStatuses: [one],
    containerStatuses: task({ waiting: { reason: 'PodInitializing' } }),
    ...more,
  })

  test('fail with their code, for want of memory, or for want of a command', () => {
    const oom = init('setup', { exitCode: 137, reason: 'OOMKilled' })
    assert.equal(said(pod(failed(oom))), 'oomKilled INIT_FAILED 137')
    const message = 'exec: "nope": executable file not found in $PATH'
    const none = init('setup', { exitCode: 128, reason: 'StartError', message })
    assert.equal(said(pod(failed(none))), 'configError COMMAND_NOT_FOUND null')
  })

  test('that were ended from outside, or by us, did not fail', () => {
    const killed = failed(init('setup', { exitCode: 137, finishedAt: STARTED }))
    const conditions = disrupted('EvictionByEvictionAPI')
    assert.equal(said(pod({ ...killed, conditions })), 'disrupted DRAINED 137')
    assert.equal(said(pod(killed), true), 'cancelled CANCELLED null')
  })

  test('that run beside the task are sidecars, and nobody’s failure', () => {
    const spec = { nodeName: 'n1', initContainers: [{ name: 'database', restartPolicy: 'Always' }] }
    const status = failed(init('database', { exitCode: 143 }), { reason: 'Evicted' })
    assert.equal(said(pod(status, {}, spec)), 'disrupted EVICTED null')
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
      'turned away by its node, for now',
      pod({ phase: 'Failed', reason: 'OutOfcpu', message: 'full' }),
      'startError START_ERROR null',
    ],
    [
      'turned away by its node, for what it asks',
      pod({ phase: 'Failed', reason: 'SysctlForbidden', message: 'forbidden sysctl: "kernel.msgmax"' }),
      'configError CONFIG_ERROR null',
    ],
    [
      'a node that is shut down',
      pod({
        ...ended(137),
        reason: 'Terminated',
        message: 'Pod was terminated in response to imminent node shutdown.',
        conditions: disrupted('TerminationByKubelet'),
      }),
      'disrupted DISRUPTED 137',
    ],
    [
      'room for a pod that the node itself needs',
      pod({ ...ended(137), reason: 'Preempting', conditions: disrupted('TerminationByKubelet') }),
      'disrupted PREEMPTED 137',
    ],
    [
      'a taint, by a node that answers',
      pod({ ...ended(143), conditions: disrupted('DeletionByTaintManager') }),
      'disrupted NODE_LOST 143',
    ],
    [
      'a node that is gone while it ran there',
      pod({
        phase: 'Failed',
        conditions: disrupted('DeletionByPodGC'),
        containerStatuses: task({ running: { startedAt: STARTED } }),
      }),
      'lost NODE_LOST null',
    ],
    [
      'drained, and its own answer to TERM',
      pod({ ...ended(1), conditions: disrupted('EvictionByEvictionAPI', '2026-01-01T00:00:04Z') }),
      'disrupted DRAINED 1',
    ],
    [
      'its own failure, before its node was drained',
      pod({ ...ended(1), conditions: disrupted('EvictionByEvictionAPI', '2026-01-01T00:00:06Z') }),
      'exitCode EXIT_CODE 1',
    ],
    [
      'its own failure, before its pod was deleted',
      pod(ended(1), { deletionTimestamp: '2026-01-01T00:00:40Z', deletionGracePeriodSeconds: 30 }),
      'exitCode EXIT_CODE 1',
    ],
    [
      'its own answer to the TERM of a deletion',
      pod(ended(1), { deletionTimestamp: '2026-01-01T00:00:34Z', deletionGracePeriodSeconds: 30 }),
      'disrupted POD_DELETED 1',
    ],
    [
      'its own answer to the TERM of a deletion, in a pod that a finalizer keeps',
      pod(ended(5), { deletionTimestamp: '2026-01-01T00:00:07Z', deletionGracePeriodSeconds: 0 }),
      'disrupted POD_DELETED 5',
    ],
    [
      'a deadline that somebody else has set',
      pod({ ...ended(137), reason: 'DeadlineExceeded' }, {}, { nodeName: 'n1', activeDeadlineSeconds: 5 }),
      'timedOut TIMED_OUT 137',
    ],
    [
      'a disruption that was called off',
      pod({ ...ended(143), conditions: [{ type: 'DisruptionTarget', status: 'False' }] }),
      'exitCode EXIT_CODE 143',
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

  test('does not wait for another Secret when the image is for root and the pod is not', () => {
    const message = 'container has runAsNonRoot and image will run as root (pod: "a", container: a)'
    const seen = look(pod(waits('CreateContainerConfigError', message)))
    assert.ok(seen.kind === 'pending' && seen.giveUp !== null && seen.giveUp.at <= NOW)
    assert.equal(seen.giveUp.outcome.reason, 'CONFIG_ERROR')
  })

  test('counts from when the container could first be tried', () => {
    const initContainerStatuses = [init('long', { exitCode: 0, finishedAt: '2026-01-01T01:00:00Z' })]
    const status = { ...waits('ErrImagePull', 'registry said 503'), initContainerStatuses }
    const seen = look(pod(status), false, Date.parse('2026-01-01T01:00:01Z'))
    assert.ok(seen.kind === 'pending' && seen.giveUp !== null)
    assert.equal(seen.giveUp.at, Date.parse('2026-01-01T01:02:00Z'))
  })

  test('waits for its claim, or for a gate of somebody else', () => {
    const scheduled = (reason: string, message: string): PodStatus => ({
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason, message }],
    })
    const unbound = '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.'
    assert.equal(said(pod(scheduled('Unschedulable', unbound))), 'pending VOLUME_PENDING')
    const gated = scheduled('SchedulingGated', 'Scheduling is blocked due to non-empty scheduling gates')
    assert.equal(said(pod(gated, {}, { schedulingGates: [{ name: GATE }] })), 'pending')
    assert.equal(
      said(pod(gated, {}, { schedulingGates: [{ name: GATE }, { name: 'example.com/budget' }] })),
      'pending UNSCHEDULABLE',
    )
  })

  test('does not wait for a name that is no name', () => {
    const seen = look(pod(waits('InvalidImageName', 'a b')))
    assert.ok(seen.kind === 'pending' && seen.giveUp !== null && seen.giveUp.at <= NOW)
  })
})

suite('a pod that is to go and does not', () => {
  const deletionTimestamp = '2026-01-01T00:00:08Z'
  const at = Date.parse(deletionTimestamp) + 2 * 60_000
  const running = { phase: 'Running', containerStatuses: task({ running: { startedAt: STARTED } }) }
  const late = (of: Pod, stopAsked = false): string => {
    const seen = look(of, stopAsked)
    if (seen.kind === 'ended') return said(of, stopAsked)
    const { kind, reason, message } = seen.giveUp?.outcome ?? {}
    return `${seen.giveUp?.at === at ? 'in time' : 'never'} ${kind} ${reason} ${message}`
  }

  test('is lost when its node has said nothing for two minutes after its grace', () => {
    assert.match(
      late(pod(running, { deletionTimestamp })),
      /^in time lost POD_DELETED .*node n1 does not confirm/u,
    )
    const tainted = pod(
      { ...running, conditions: disrupted('DeletionByTaintManager') },
      { deletionTimestamp },
    )
    assert.match(late(tainted), /^in time lost NODE_LOST /u)
    // It may go on there, whoever asked for its end.
    const drained = pod({ ...running, conditions: disrupted('EvictionByEvictionAPI') }, { deletionTimestamp })
    assert.match(late(drained), /^in time lost DRAINED /u)
  })

  test('also when we asked for that, or when nobody saw it begin', () => {
    assert.match(late(pod(running, { deletionTimestamp }), true), /^in time lost LOST was asked to end/u)
    assert.match(late(pod({ phase: 'Pending' }, { deletionTimestamp })), /^in time lost POD_DELETED /u)
  })

  test('has ended at once when it never had a node and a finalizer keeps it; else it is gone in a moment', () => {
    const kept = pod({ phase: 'Pending' }, { deletionTimestamp, finalizers: ['any/one'] }, {})
    assert.equal(late(kept), 'disrupted POD_DELETED null')
    assert.equal(late(kept, true), 'cancelled CANCELLED null')
    assert.match(late(pod({ phase: 'Pending' }, { deletionTimestamp }, {}), true), /^in time cancelled /u)
  })

  test('waits for ever while nobody deletes it', () => {
    const seen = look(pod(running))
    assert.ok(seen.kind === 'running' && seen.giveUp === null)
  })
})
