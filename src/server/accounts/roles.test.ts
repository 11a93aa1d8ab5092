import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Grants } from '../../ports/accounts.ts'
import type { Role } from '../../ports/authenticator.ts'
import { mayIn } from '../access.ts'
import { joined, narrower, tooWide } from './roles.ts'

const NAMESPACES = ['*', 'a', 'b', 'c']
const grants = fc
  .dictionary(fc.constantFrom(...NAMESPACES), fc.constantFrom<Role>('viewer', 'editor', 'admin'))
  .map((given): Grants => new Map(Object.entries(given)))
const may = (roles: Grants, namespace: string, permission: 'view' | 'edit' | 'admin'): boolean =>
  mayIn({ id: 'x', name: 'x', roles }, namespace, permission)
/** `other` stands for all namespaces that nobody names. */
const everywhere = ['a', 'b', 'c', 'other'].flatMap(namespace =>
  (['view', 'edit', 'admin'] as const).map(permission => [namespace, permission] as const),
)

test('a token may do what it and its owner may, in every namespace, and nothing else', () =>
  fc.assert(
    fc.property(grants, grants, (owner, token) => {
      for (const [namespace, permission] of everywhere)
        assert.equal(
          may(narrower(owner, token), namespace, permission),
          may(owner, namespace, permission) && may(token, namespace, permission),
        )
    }),
  ))

test('somebody in several groups may do what one of them may, in the namespaces that are named', () =>
  fc.assert(
    fc.property(fc.array(grants, { maxLength: 4 }), all => {
      for (const [namespace, permission] of everywhere)
        assert.equal(
          may(joined(all), namespace, permission),
          all.some(one => may(one, namespace, permission)),
        )
    }),
  ))

test('what is too wide is what would be cut', () =>
  fc.assert(
    fc.property(grants, grants, (wanted, had) => {
      const cut = narrower(wanted, had)
      const over = tooWide(wanted, had)
      for (const [namespace, role] of wanted)
        assert.equal(over.includes(namespace), cut.get(namespace) !== role)
    }),
  ))
