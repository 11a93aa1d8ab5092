import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AttemptRef } from '../../ports/executor.ts'
import {
  attemptId,
  attemptLabels,
  containerName,
  containerOf,
  fenceLabels,
  KEYS,
  labelValue,
  podName,
  refOfPod,
} from './names.ts'

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const VALUE = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/

/** Task keys as a DAG allows them, items of fan-outs too. */
const refs: fc.Arbitrary<AttemptRef> = fc.record(
  {
    run: fc.uuid(),
    task: fc
      .tuple(fc.stringMatching(LABEL), fc.option(fc.nat(50_000)))
      .map(([name, item]) => (item === null ? name : `${name}[${item}]`)),
    attempt: fc.integer({ min: 1, max: 999_999_999 }),
  },
  { noNullPrototype: true },
)

const podOf = (ref: AttemptRef) => ({
  metadata: {
    name: podName(ref),
    labels: { ...fenceLabels('main', '7'), ...attemptLabels({ ...ref, dag: 'd', runName: 'd-1' }) },
    annotations: { [KEYS.attempt]: attemptId(ref) },
  },
})

test('names and labels are what Kubernetes takes, whatever the attempt is', () => {
  fc.assert(
    fc.property(refs, ref => {
      assert.match(podName(ref), LABEL)
      assert.match(containerName(ref.task), LABEL)
      for (const value of Object.values(attemptLabels(ref))) assert.match(value, VALUE)
    }),
  )
})

test('a pod tells its attempt, and the container is named after the task', () => {
  fc.assert(
    fc.property(refs, ref => {
      assert.deepEqual(refOfPod(podOf(ref), 'main'), ref)
      assert.equal(containerOf(podOf(ref)), ref.task.replace(/\[\d+\]$/, ''))
    }),
  )
})

test('items, attempts, runs and tasks that look alike have names and labels of their own', () => {
  const ref = { run: 'r', task: 'build[3]', attempt: 1 }
  const others = [{ task: 'build-3' }, { task: 'build[31]' }, { attempt: 2 }, { run: 's' }]
  const all = [ref, ...others.map(other => ({ ...ref, ...other }))]
  assert.equal(new Set(all.map(podName)).size, all.length)
  const byPeople = (one: AttemptRef): string => JSON.stringify(attemptLabels(one))
  assert.equal(new Set(all.map(byPeople)).size, all.length)
})

test('a pod of another installation, a forged one and one that says nothing are nobody’s', () => {
  const pod = podOf({ run: 'r', task: 'build', attempt: 1 })
  const { metadata } = pod
  assert.equal(refOfPod(pod, 'other'), null)
  const renamed = { metadata: { ...metadata, name: 'mine-1-0000000000000000' } }
  assert.equal(refOfPod(renamed, 'main'), null)
  for (const id of ['', 'r/build', 'r/build/0', 'r/build/-1', 'r/build/1e3', 's/build/1', 'r/build/2']) {
    const forged = { metadata: { ...metadata, annotations: { [KEYS.attempt]: id } } }
    assert.equal(refOfPod(forged, 'main'), null, id)
  }
  assert.equal(refOfPod({ metadata: { name: metadata.name } }, 'main'), null)
})

test('a value that no label holds is cut, and told from others', () => {
  fc.assert(fc.property(fc.string({ minLength: 1 }), text => assert.match(labelValue(text), VALUE)))
  const long = 'a'.repeat(64)
  assert.notEqual(labelValue(`${long}1`), labelValue(`${long}2`))
  assert.equal(labelValue('nightly'), 'nightly')
})
