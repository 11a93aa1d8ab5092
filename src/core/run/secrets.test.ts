import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONTAINER, aCreation, aDag, aTask } from '../../../test/model/dags.ts'
import { neededSecrets } from './secrets.ts'
import { newRunState } from './state.ts'

const secret = { name: 'db', key: 'password' }
const env = [{ name: 'PW', kind: 'secret' as const, secret, optional: false }]

test('secrets of parameters and of env are needed, optional ones and those of tasks with a condition are not', () => {
  const dag = aDag({
    tasks: [
      aTask({ name: 'by-parameter', parameters: ['TOKEN'] }),
      aTask({ name: 'by-env', work: { ...CONTAINER, env } }),
      aTask({ name: 'optional', work: { ...CONTAINER, env: env.map(one => ({ ...one, optional: true })) } }),
      aTask({ name: 'perhaps', when: 'true', work: { ...CONTAINER, env } }),
    ],
  })
  const token = { name: 'TOKEN', value: { kind: 'secret' as const, secret: { name: 'api', key: 'secret' } } }
  const state = newRunState(dag, aCreation({ parameters: [token] }))
  assert.deepEqual(neededSecrets(state), [
    { task: 'by-parameter', secret: { name: 'api', key: 'secret' } },
    { task: 'by-env', secret },
  ])
})

test('a task that runs has its secrets', () => {
  const dag = aDag({ tasks: [aTask({ name: 'a', work: { ...CONTAINER, env } })] })
  const state = newRunState(dag, aCreation())
  for (const task of state.tasks) task.state = 'running'
  assert.deepEqual(neededSecrets(state), [])
})
