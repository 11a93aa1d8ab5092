import { after, before, describe, test } from 'node:test'
import type { Dialect } from '../../../src/executors/container/container-engine.ts'
import { executorContract } from '../executor.ts'
import { type Daemon, startDaemon, whyNoDaemon } from './daemon.ts'
import { containerPlace } from './place.ts'

/** Rounds of what may go wrong by chance; each starts a container. `KONTROLER_TEST_ROUNDS=200` tries harder. */
const ROUNDS = Number(process.env['KONTROLER_TEST_ROUNDS'] ?? '10')

/** The contract of executors, in containers of a daemon that is started for it. */
export function containerContract(dialect: Dialect): void {
  const why = whyNoDaemon(dialect)
  if (why !== null) return notRun(why)
  describe(`containers of ${dialect}`, () => {
    let daemon: Daemon
    before(async () => {
      daemon = await startDaemon(dialect)
    })
    after(() => daemon.remove())
    const make = async () => containerPlace(await daemon.engine())
    executorContract(dialect, make, { rounds: ROUNDS, piped: true, concurrency: 4 })
  })
}

/** Told in one line; where everything is to be proven (CI) it is a failure. */
export function notRun(why: string): void {
  test(why, { skip: process.env['CI'] === undefined ? why : false }, () => {
    throw new Error(why)
  })
}
