import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { eraOf, mayHaveRun } from './era.ts'

const [HERE, ELSEWHERE] = ['5f2c1111-aaaa-4bbb-8ccc-0123456789ab', '5f2c2222-aaaa-4bbb-8ccc-0123456789ab']
const [NOW, EARLIER] = ['0f0e1111-aaaa-4bbb-8ccc-0123456789ab', '0f0e2222-aaaa-4bbb-8ccc-0123456789ab']

suite('an attempt of which nothing is known', () => {
  for (const mine of ['process', 'container'] as const) {
    const era = eraOf(mine, HERE, NOW)
    test(`has not run, when a ${mine} of this state directory and boot was meant, or nothing was noted`, () => {
      assert.equal(mayHaveRun(era, era), null)
      assert.equal(mayHaveRun(undefined, era), null)
    })
    test(`has not run, when it was meant for the other kind; both note what they start in one place (${mine})`, () => {
      const other = mine === 'process' ? 'container' : 'process'
      assert.equal(mayHaveRun(eraOf(other, HERE, NOW), era), null)
    })
    test(`may have run, when another state directory was meant, whatever the boot (${mine})`, () => {
      for (const boot of [NOW, EARLIER])
        assert.match(mayHaveRun(eraOf(mine, ELSEWHERE, boot), era) ?? '', /another state directory/)
    })
    test(`may have run as a process before the machine was restarted (${mine})`, () => {
      assert.match(mayHaveRun(eraOf('process', HERE, EARLIER), era) ?? '', /machine was restarted/)
    })
    test(`may have run, when what was noted is not understood (${mine})`, () => {
      assert.notEqual(mayHaveRun('earlier', era), null)
    })
  }
  test('is found by its container after a restart of the machine, so it has not run', () => {
    assert.equal(mayHaveRun(eraOf('container', HERE, EARLIER), eraOf('container', HERE, NOW)), null)
    assert.notEqual(mayHaveRun(eraOf('container', HERE, EARLIER), eraOf('process', HERE, NOW)), null)
  })
})
