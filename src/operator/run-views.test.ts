import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anObject } from '../../test/model/cluster-objects.ts'
import { MADE_FOR } from './names.ts'
import { RunViews } from './run-views.ts'

const made = (name: string, run: string, namespace = 'space') =>
  anObject(name, {}, { namespace, annotations: { [MADE_FOR]: `${namespace}/${name}/${run}` } })
const ref = (name: string, namespace = 'space') => ({ namespace, name, uid: `uid-of-${name}` })

test('an object is found by its namespace and run, and by its name', () => {
  const views = new RunViews()
  assert.equal(views.changed(anObject('x', {})), 'space/uid-of-x')
  assert.equal(views.changed(made('y', 'run')), 'space/run')
  assert.equal(views.of('space/run')?.mirror, true)
  assert.equal(views.runNamed('space', 'y'), 'run')
  assert.equal(views.runNamed('other', 'y'), undefined)
  assert.equal(views.gone(ref('y')), 'space/run')
  assert.equal(views.of('space/run'), undefined)
  assert.equal(views.runNamed('space', 'y'), undefined)
})

test('a claim never reaches into another namespace', () => {
  const views = new RunViews()
  views.changed(made('y', 'run'))
  assert.equal(views.changed(made('thief', 'run', 'thieves')), 'thieves/run')
  assert.equal(views.of('space/run')?.object.metadata.name, 'y')
  assert.equal(views.gone(ref('thief', 'thieves')), 'thieves/run')
  assert.equal(views.of('space/run')?.object.metadata.name, 'y')
})

test('a claim does not push out the object that the run is of, whichever is told first', () => {
  for (const order of [
    ['x', 'thief'],
    ['thief', 'x'],
  ]) {
    const views = new RunViews()
    for (const name of order) views.changed(name === 'x' ? anObject('x', {}) : made('thief', 'uid-of-x'))
    assert.equal(views.of('space/uid-of-x')?.object.metadata.name, 'x', order.join())
    views.gone(ref('thief'))
    assert.equal(views.of('space/uid-of-x')?.object.metadata.name, 'x', order.join())
  }
})

test('of one that is finished, only who it is is remembered', () => {
  const views = new RunViews()
  const key = views.changed(
    anObject(
      'x',
      { dagName: 'd', parameters: [] },
      {
        labels: { a: 'b' },
        status: { completionTime: '2026-01-01T00:00:00Z', phase: 'failed', observedGeneration: 1 },
      },
    ),
  )
  const view = views.of(key)
  assert.equal(view?.finished, true)
  assert.deepEqual(view?.object.spec, { dagName: 'd' })
  assert.deepEqual(view?.object.metadata.labels, {})
})

test('a claim that is given up does not take the view of another object along', () => {
  const views = new RunViews()
  views.changed(made('thief', 'uid-of-x'))
  views.changed(anObject('x', {}))
  views.changed(anObject('thief', {}))
  assert.equal(views.of('space/uid-of-x')?.object.metadata.name, 'x')
  assert.equal(views.of('space/uid-of-thief')?.object.metadata.name, 'thief')
})

test('one that is finished is kept whole until it was told that its newest text was seen', () => {
  const views = new RunViews()
  const status = { completionTime: '2026-01-01T00:00:00Z', phase: 'failed', observedGeneration: 1 }
  const key = views.changed(anObject('x', { dagName: 'd', cancel: true }, { generation: 2, status }))
  assert.deepEqual(views.of(key)?.object.status, status)
  views.changed(anObject('x', { dagName: 'd', cancel: true }, { generation: 1, status }))
  assert.deepEqual(views.of(key)?.object.spec, { dagName: 'd' })
})
