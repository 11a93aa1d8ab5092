import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AddressKind, addressBytes, kindOf } from './addresses.ts'
import { mayConnect, mayUsePort, policyEntry, policyOf } from './policy.ts'

const kind = (address: string): AddressKind | null => {
  const bytes = addressBytes(address)
  return bytes === null ? null : kindOf(bytes)
}
const none = policyOf([], false, null)
const may = (address: string, policy = none, name = 'hooks.example.com'): boolean =>
  mayConnect(policy, name, address)

test('addresses are told apart', () => {
  const expected: Readonly<Record<string, AddressKind>> = {
    '93.184.216.34': 'public',
    '2606:2800:220:1::1': 'public',
    '127.0.0.1': 'loopback',
    '127.255.255.254': 'loopback',
    '::1': 'loopback',
    '10.1.2.3': 'private',
    '172.16.0.1': 'private',
    '172.31.255.255': 'private',
    '172.32.0.1': 'public',
    '192.168.1.1': 'private',
    '100.64.0.1': 'private',
    'fd12:3456::1': 'private',
    '169.254.1.1': 'linkLocal',
    'fe80::1': 'linkLocal',
    'fe80::1%eth0': 'linkLocal',
    '169.254.169.254': 'metadata',
    'fd00:ec2::254': 'metadata',
    '100.100.100.200': 'metadata',
    '0.0.0.0': 'reserved',
    '::': 'reserved',
    '255.255.255.255': 'reserved',
    '224.0.0.1': 'reserved',
    '192.0.2.1': 'reserved',
    'ff02::1': 'reserved',
    '2001:db8::1': 'reserved',
  }
  for (const [address, wanted] of Object.entries(expected)) assert.equal(kind(address), wanted, address)
})

test('an IPv4 address in the dress of IPv6 is what it leads to', () => {
  assert.equal(kind('::ffff:127.0.0.1'), 'loopback')
  assert.equal(kind('::ffff:7f00:1'), 'loopback')
  assert.equal(kind('::127.0.0.1'), 'loopback')
  assert.equal(kind('64:ff9b::10.0.0.1'), 'private')
  assert.equal(kind('64:ff9b::a9fe:a9fe'), 'metadata')
  assert.equal(kind('2002:a9fe:a9fe::1'), 'metadata')
  assert.equal(kind('::ffff:93.184.216.34'), 'public')
  assert.equal(kind('64:ff9b:1::1'), 'reserved')
})

test('what is no address is none', () => {
  for (const text of ['', 'localhost', '1.2.3', '1.2.3.4.5', '0x7f.1', ':::', 'g::1', '1.2.3.256'])
    assert.equal(kind(text), null, text)
  assert.equal(may('localhost'), false)
})

test('without a list only public addresses are sent to', () => {
  assert.equal(may('93.184.216.34'), true)
  for (const address of ['127.0.0.1', '::1', '10.0.0.1', '169.254.169.254', '0.0.0.0', '::ffff:10.0.0.1'])
    assert.equal(may(address), false, address)
})

test('on a laptop its own addresses are allowed, in every dress', () => {
  const laptop = policyOf([], true, null)
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) assert.equal(may(address, laptop), true)
  assert.equal(may('10.0.0.1', laptop), false)
})

test('a range allows what lies in it, a name what it leads to', () => {
  const policy = policyOf(
    ['10.96.0.0/12', 'receiver.team.svc.cluster.local', '*.internal.example'],
    false,
    null,
  )
  assert.equal(may('10.96.3.4', policy), true)
  assert.equal(may('::ffff:10.96.3.4', policy), true)
  assert.equal(may('10.1.0.1', policy), false)
  assert.equal(may('10.1.0.1', policy, 'receiver.team.svc.cluster.local'), true)
  assert.equal(may('10.1.0.1', policy, 'Receiver.team.svc.cluster.local.'), true)
  assert.equal(may('10.1.0.1', policy, 'a.internal.example'), true)
  assert.equal(may('10.1.0.1', policy, 'internal.example'), false)
  assert.equal(may('10.1.0.1', policy, 'evil-internal.example'), false)
})

test('link-local addresses need an entry of their own, a metadata service its very address', () => {
  const wide = policyOf(['0.0.0.0/0', '::/0', 'hooks.example.com'], false, null)
  assert.equal(may('10.0.0.1', wide), true)
  assert.equal(may('169.254.1.1', wide), false)
  assert.equal(may('fe80::1', wide), false)
  assert.equal(may('169.254.169.254', wide), false)
  assert.equal(may('169.254.1.1', policyOf(['169.254.0.0/16'], false, null)), true)
  assert.equal(may('169.254.169.254', policyOf(['169.254.0.0/16'], false, null)), false)
  assert.equal(may('169.254.169.254', policyOf(['169.254.169.254'], false, null)), true)
})

test('a name does not allow addresses that nothing answers at', () =>
  assert.equal(may('0.0.0.0', policyOf(['hooks.example.com'], false, null)), false))

test('ports are any, or those of the list', () => {
  assert.equal(mayUsePort(none, 25), true)
  assert.equal(mayUsePort(policyOf([], false, [443]), 443), true)
  assert.equal(mayUsePort(policyOf([], false, [443]), 6443), false)
})

test('an entry is a range, an address or a name', () => {
  for (const good of ['10.0.0.0/8', 'fd00::/8', '10.1.2.3', 'a.b', '*.b', 'localhost'])
    assert.notEqual(policyEntry(good), null, good)
  for (const bad of ['', '10.0.0.0/33', 'fd00::/129', '10.0.0', 'a b', '*', 'http://a', '*.*.b', 'a:1'])
    assert.equal(policyEntry(bad), null, bad)
})
