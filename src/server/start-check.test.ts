import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AnyRoute } from './route.ts'
import { ROUTES } from './routes.ts'
import { checkRoutes } from './start-check.ts'

const good: AnyRoute = {
  id: 'look',
  method: 'GET',
  path: '/look',
  summary: 'Looks',
  access: { kind: 'known' },
  responses: {},
  handle: () => Promise.resolve({ status: 200 }),
}
const refuses = (wrong: object, message: RegExp): void =>
  assert.throws(() => checkRoutes([{ ...good, ...wrong }]), message)

test('the routes of the program are declared', () => checkRoutes(ROUTES))

test('a route that does not say who may use it is refused, and so is one that says nonsense', () => {
  checkRoutes([good])
  refuses({ access: undefined }, /GET \/look: does not say who may use it/)
  refuses({ access: {} }, /does not say who/)
  refuses({ access: { kind: 'everybody' } }, /does not say who/)
  refuses({ access: { kind: 'object', from: 'path', find: () => null } }, /names no permission/)
  refuses({ access: { kind: 'object', from: 'path', permission: 'edit' } }, /how its object is found/)
})

test('what changes something names the object whose it is', () => {
  for (const kind of ['public', 'known', 'visible'])
    refuses({ method: 'POST', access: { kind } }, /changes something without saying whose/)
  checkRoutes([{ ...good, method: 'POST', changesNothing: true }])
  checkRoutes([{ ...good, method: 'POST', access: { kind: 'self', proof: 'session' } }])
  checkRoutes([{ ...good, method: 'POST', access: { kind: 'everything', permission: 'admin' } }])
  refuses({ method: 'POST', access: { kind: 'everything' } }, /names no permission/)
})

test('what changes something for programs that sign takes bytes, and nobody else does', () => {
  checkRoutes([{ ...good, method: 'POST', access: { kind: 'signed' }, body: { kind: 'bytes' } }])
  refuses({ body: { kind: 'bytes' } }, /bytes that nobody has to sign/)
  refuses({ method: 'POST', access: { kind: 'signed' } }, /signs nothing/)
})

test('no two routes share an address or a name, and params are those of the path', () => {
  assert.throws(() => checkRoutes([good, { ...good, id: 'other' }]), /is there twice/)
  assert.throws(() => checkRoutes([good, { ...good, path: '/other' }]), /is there twice/)
  refuses({ path: '/look/{run}' }, /other params than its path/)
})
