/** Sends what is due in a database until it is killed: `node sender-child.ts FILE`. */
import { Outbox } from '../../src/engine/outbox.ts'
import { systemClock, systemIdentity } from '../../src/host/clock.ts'
import { policyOf } from '../../src/notifiers/webhook/policy.ts'
import { systemResolve } from '../../src/notifiers/webhook/resolve.ts'
import { WebhookSender } from '../../src/notifiers/webhook/sender.ts'
import { openSqliteStore } from '../../src/stores/sqlite/open.ts'

const [file = '', mode = 'send'] = process.argv.slice(2)
const store = await openSqliteStore(file)
const trouble = (error: unknown): void => {
  throw error
}
const sender = new WebhookSender({
  store,
  identity: systemIdentity,
  clock: systemClock,
  values: { secret: () => Promise.resolve(null) },
  policy: policyOf([], true, null),
  resolve: systemResolve,
  userAgent: 'child',
  leftTo: () => Promise.resolve([]),
  trouble,
  claimMs: 1_000,
})
const filled = (): void => {
  console.log('filled')
  if (mode === 'send') sender.look()
}
new Outbox({ store, clock: systemClock, filled, trouble }).open()
if (mode === 'send') sender.open()
setInterval(() => undefined, 1_000)
