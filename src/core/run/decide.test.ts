import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { drive } from '../../../test/model/drive.ts'
import { scenarios } from '../../../test/model/scenarios.ts'
import { isTerminal } from './state.ts'

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 500)

test('decide, decideStarts and nextDeadline answer what the slow plain model answers, after every step', () => {
  fc.assert(
    fc.property(scenarios(), scenario => {
      drive(scenario, { restarts: false, checked: true })
    }),
    { numRuns: RUNS },
  )
})

test('a run that is rebuilt from its log after every step writes the same log as one that never is', () => {
  fc.assert(
    fc.property(scenarios(), scenario => {
      const calm = drive(scenario, { restarts: false, checked: false })
      const restarted = drive(scenario, { restarts: true, checked: false })
      assert.deepEqual(restarted.log, calm.log)
    }),
    { numRuns: RUNS },
  )
})

test('every run ends once its attempts end, its approvals are answered and time goes on', () => {
  fc.assert(
    fc.property(scenarios(), scenario => {
      const { state } = drive({ ...scenario, happenings: [] }, { restarts: false, checked: false })
      assert.ok(isTerminal(state.phase))
    }),
    { numRuns: RUNS },
  )
})
