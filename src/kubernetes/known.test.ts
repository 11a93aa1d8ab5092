import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createKnown, type Difference } from './known.ts'
import type { KubeObject } from './object.ts'

const object = (name: string, version: number, uid = name): KubeObject => ({
  metadata: { name, namespace: 'a', uid, resourceVersion: String(version) },
})

function recorder() {
  const told: string[] = []
  const known = createKnown(() => undefined)
  const tell = (difference: Difference<undefined>): void => {
    told.push(
      difference.kind === 'deleted'
        ? `- ${difference.last.uid}`
        : `${difference.before === null ? '+' : '~'} ${difference.object.metadata.uid}`,
    )
  }
  const list = (...objects: readonly KubeObject[]): void => {
    known.listBegins()
    for (const one of objects) known.seen(one, tell)
    known.listEnds(tell)
  }
  const take = (): string[] => told.splice(0)
  return { known, tell, list, take }
}

describe('what is known', () => {
  it('tells what a list has, and of the next list only what is other', () => {
    const { list, take } = recorder()
    list(object('x', 1), object('y', 1))
    assert.deepEqual(take(), ['+ x', '+ y'])
    list(object('x', 1), object('y', 2), object('z', 3))
    assert.deepEqual(take(), ['~ y', '+ z'])
  })

  it('tells what was deleted while nobody looked', () => {
    const { list, take } = recorder()
    list(object('x', 1), object('y', 1))
    take()
    list(object('y', 1))
    assert.deepEqual(take(), ['- x'])
  })

  it('takes another UID under the same name for a deletion and a new object', () => {
    const { known, tell, list, take } = recorder()
    list(object('x', 1, 'first'))
    take()
    list(object('x', 5, 'second'))
    assert.deepEqual(take(), ['- first', '+ second'])
    known.seen(object('x', 6, 'third'), tell)
    assert.deepEqual(take(), ['- second', '+ third'])
  })

  it('tells nothing twice', () => {
    const { known, tell, take } = recorder()
    for (const _ of [1, 2]) known.seen(object('x', 1), tell)
    for (const _ of [1, 2]) known.gone(object('x', 2), tell)
    assert.deepEqual(take(), ['+ x', '- x'])
  })

  it('does not delete an object because its predecessor was deleted', () => {
    const { known, tell, take } = recorder()
    known.seen(object('x', 5, 'second'), tell)
    known.gone(object('x', 4, 'first'), tell)
    assert.deepEqual(take(), ['+ second'])
  })

  it('forgets what a list that was broken off has seen', () => {
    const { known, tell, list, take } = recorder()
    list(object('x', 1), object('y', 1))
    take()
    known.listBegins()
    known.seen(object('x', 1), tell)
    list(object('y', 1))
    assert.deepEqual(take(), ['- x'])
  })

  it('ends as the world is, whatever lists and events came', () => {
    const names = fc.constantFrom('x', 'y', 'z')
    const step = fc.oneof(
      fc.record({ kind: fc.constant('event' as const), name: names, uid: fc.nat(3), deleted: fc.boolean() }),
      fc.record({ kind: fc.constant('list' as const), names: fc.uniqueArray(names), uid: fc.nat(3) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const known = createKnown(() => undefined)
        const believed = new Set<string>()
        const tell = (difference: Difference<undefined>): void => {
          if (difference.kind === 'deleted') assert.ok(believed.delete(difference.last.uid))
          else {
            const { uid } = difference.object.metadata
            assert.equal(believed.has(uid), difference.before !== null)
            believed.add(uid)
          }
        }
        let world = new Map<string, string>()
        steps.forEach((one, version) => {
          if (one.kind === 'list') {
            world = new Map(one.names.map(name => [name, `${name}${one.uid}`]))
            known.listBegins()
            for (const [name, uid] of world) known.seen(object(name, version, uid), tell)
            known.listEnds(tell)
          } else if (one.deleted) {
            const uid = world.get(one.name)
            if (uid === undefined) return
            world.delete(one.name)
            known.gone(object(one.name, version, uid), tell)
          } else {
            world.set(one.name, `${one.name}${one.uid}`)
            known.seen(object(one.name, version, `${one.name}${one.uid}`), tell)
          }
        })
        assert.deepEqual([...believed].toSorted(), [...world.values()].toSorted())
        assert.equal(known.size, world.size)
      }),
    )
  })
})
