import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cycles, runOrder } from './cycle.ts'

const graph = (edges: Record<string, string[]>): ReadonlyMap<string, string[]> =>
  new Map(Object.entries(edges))

test('a cycle is a path along the arrows, from a task back to itself', () => {
  assert.deepEqual(cycles(graph({ a: ['c'], b: ['a'], c: ['b'] })), [['a', 'b', 'c', 'a']])
})

test('the shortest circle through the first task of a group is told, and the group only once', () => {
  const all = ['a', 'b', 'c', 'd']
  assert.deepEqual(cycles(graph(Object.fromEntries(all.map(name => [name, all])))), [['a', 'b', 'a']])
  assert.equal(cycles(graph({ a: ['b'], b: ['a'], c: ['d'], d: ['c'], e: ['a', 'c'] })).length, 2)
})

test('unknown names and a task that waits for itself are not cycles', () => {
  assert.deepEqual(cycles(graph({ a: ['a', 'nowhere'], b: ['a'] })), [])
})

test('a chain of 100,000 tasks is no trouble', () => {
  const chain = new Map(
    Array.from({ length: 100_000 }, (_, at) => [`t${at}`, at === 0 ? [] : [`t${at - 1}`]]),
  )
  assert.deepEqual(cycles(chain), [])
  assert.equal(runOrder(chain)('t99999', 't0'), true)
  chain.set('t0', ['t99999'])
  assert.equal(cycles(chain)[0]?.length, 100_001)
})

/** Random graphs of few nodes, so that circles are frequent. */
const graphs = fc
  .array(fc.array(fc.nat(7), { maxLength: 3 }), { minLength: 1, maxLength: 8 })
  .map(
    lists =>
      new Map(
        lists.map((list, at): [string, string[]] => [`n${at}`, [...new Set(list)].map(to => `n${to}`)]),
      ),
  )

test('there is a cycle if and only if some task runs after itself by way of another', () => {
  fc.assert(
    fc.property(graphs, edges => {
      const without = new Map([...edges].map(([name, list]) => [name, list.filter(other => other !== name)]))
      const after = runOrder(without)
      const naive = [...without.keys()].some(name => after(name, name))
      assert.equal(cycles(edges).length > 0, naive)
    }),
  )
})

test('every step of a cycle is an arrow that is there', () => {
  fc.assert(
    fc.property(graphs, edges => {
      for (const path of cycles(edges)) {
        assert.equal(path[0], path.at(-1))
        for (const [at, name] of path.slice(1).entries()) assert.ok(edges.get(name)?.includes(path[at] ?? ''))
      }
    }),
  )
})

test('a task runs after another one by way of others, never by a name that is not there', () => {
  const after = runOrder(graph({ a: [], b: ['a'], c: ['b', 'nowhere'] }))
  assert.deepEqual([after('c', 'a'), after('a', 'c'), after('c', 'nowhere')], [true, false, false])
})
