import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toldBy } from './events.ts'

/** Events as schedulers and kubelets of 1.36 write them. */
const TABLE: readonly (readonly [reason: string, message: string, told: string])[] = [
  ['FailedScheduling', '0/3 nodes are available: 3 Insufficient cpu.', 'UNSCHEDULABLE'],
  [
    'FailedScheduling',
    '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.',
    'VOLUME_PENDING',
  ],
  [
    'FailedScheduling',
    '0/2 nodes are available: 2 node(s) had volume node affinity conflict.',
    'VOLUME_PENDING',
  ],
  [
    'FailedMount',
    'MountVolume.SetUp failed for volume "keys" : secret "keys" not found',
    'CONTAINER_CONFIG → SECRET_MISSING',
  ],
  [
    'FailedMount',
    'MountVolume.SetUp failed for volume "secrets" : configmap "secrets" not found',
    'CONTAINER_CONFIG → CONFIG_MISSING',
  ],
  [
    'FailedMount',
    'MountVolume.SetUp failed for volume "kontroler" : configmap "kontroler-fence-main-7" not found',
    'STARTING → START_ERROR',
  ],
  [
    'FailedMount',
    'MountVolume.SetUp failed for volume "share" : mount failed: exit status 32',
    'VOLUME_PENDING',
  ],
  [
    'FailedAttachVolume',
    'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) b',
    'VOLUME_PENDING',
  ],
  ['FailedCreatePodSandBox', 'Failed to create pod sandbox: plugin type="bridge" failed (add)', 'STARTING'],
  ['Failed', 'Failed to pull image "nope:1": rpc error: code = NotFound', 'IMAGE_PULL'],
  ['Failed', 'Error: secret "db" not found', 'nothing'],
  ['BackOff', 'Back-off pulling image "nope:1"', 'IMAGE_PULL'],
  ['BackOff', 'Back-off restarting failed container proxy in pod a-1-x', 'STARTING'],
  ['Unhealthy', 'Readiness probe failed', 'nothing'],
]

test('Events tell what a pod’s status does not', () => {
  for (const [reason, message, expected] of TABLE) {
    const told = toldBy({ type: 'Warning', reason, message })
    const said =
      told === null ? 'nothing' : [told.why.reason, told.outcome?.reason].filter(Boolean).join(' → ')
    assert.equal(said, expected, message)
  }
})

test('ordinary Events tell nothing', () => {
  assert.equal(toldBy({ type: 'Normal', reason: 'Pulling', message: 'Pulling image "busybox"' }), null)
})
