import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { attemptPath, logName, logOfPath, runPath, workspacePath } from './attempt-path.ts'

test('plain names stay as they are, and an item of a fan-out is readable', () => {
  assert.equal(attemptPath('0198c7-a', 'build', 1), 'runs/0198c7-a/build@1')
  assert.equal(attemptPath('r', 'build[12]', 3), 'runs/r/build.12@3')
})

test('no id leads out of its folder', () => {
  const segment = /^(?!\.\.?$)[a-z0-9_-]{1,200}(~|(\.\d+)?(@1)?)$/u
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ unit: 'binary' }), (run, task) => {
      for (const part of attemptPath(run, task, 1).split('/')) {
        assert.match(part, segment)
      }
      assert.ok(!attemptPath(run, task, 1).includes('//'))
    }),
  )
  for (const id of ['..', '.', '../..', '/etc', 'a/../../b', 'a\0b', '%2e%2e', '～', 'C:\\x'])
    assert.doesNotMatch(runPath(id).slice('runs/'.length), /\/|\.\.|\\|%|\0/u)
})

test('two ids never share a folder, even where case does not count', () => {
  const key = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[A-Za-z._~[\]/0-9-]{0,12}$/u),
    fc.tuple(fc.constantFrom('a', 'b', 'a.1', 'A'), fc.nat(20)).map(([name, item]) => `${name}[${item}]`),
  )
  fc.assert(
    fc.property(key, key, (a, b) => {
      if (a !== b) assert.notEqual(attemptPath('r', a, 1).toLowerCase(), attemptPath('r', b, 1).toLowerCase())
    }),
    { numRuns: 2000 },
  )
})

test('no task shares its folder with the workspace', () => {
  for (const task of ['workspace', 'workspace/', 'workspace[0]', 'Workspace', `workspace${'x'.repeat(400)}`])
    assert.ok(!`${attemptPath('r', task, 1)}/`.startsWith(`${workspacePath('r')}/`))
})

test('a name of any length fits a file system', () => {
  const path = attemptPath('r', 'x'.repeat(3000), 1)
  assert.ok(path.split('/').every(part => part.length <= 255))
})

test('a path tells which log it is, and what is no log is none', () => {
  const id = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.stringMatching(/^[a-z._~[\]/0-9-]{0,12}$/u),
  )
  const ref = fc.record(
    {
      run: id,
      task: id,
      attempt: fc.integer({ min: 1, max: 99_999 }),
      container: fc.string({ minLength: 1 }),
    },
    { requiredKeys: ['run', 'task', 'attempt'] },
  )
  fc.assert(
    fc.property(ref, log => {
      const path = `${attemptPath(log.run, log.task, log.attempt)}/${logName(log.container)}`
      assert.deepEqual(logOfPath(path), { ...log })
    }),
  )
  for (const path of [
    'runs/a/b@1',
    'runs/a/b@1/.log.json',
    'runs/a/b@1/out',
    'runs/a/workspace/log',
    'a/b@1/log',
  ])
    assert.equal(logOfPath(path), null)
})
