import * as z from 'zod'
import { moment } from '../../core/run/run-data.ts'
import type { Principal } from '../../ports/authenticator.ts'
import { DELIVERY_CODES, type Delivery, deliveryId } from '../../ports/deliveries.ts'
import { mayIn, theDag, theRun } from '../access.ts'
import type { ServerParts } from '../parts.ts'
import { RequestProblem } from '../problem.ts'
import { type AnyRoute, ok, route } from '../route.ts'
import { DELIVERY_STATES, deliveryAnswer, deliveryPage } from '../schemas/delivery.ts'
import * as values from '../schemas/values.ts'
import { given } from '../given.ts'

const deliveryParams = values.runParams.extend({
  number: z
    .string()
    .regex(/^[1-9]\d{0,8}$/)
    .transform(Number)
    .meta({ type: 'integer' }),
})

const query = z.strictObject({
  state: values.listOf(z.enum(DELIVERY_STATES)).optional().describe('Several mean any of them.'),
  limit: values.limit,
  after: values.after,
})

const ofRun = route({
  id: 'listRunDeliveries',
  method: 'GET',
  path: '/api/v1/runs/{run}/deliveries',
  summary: 'Messages of a run to the receiver that its DAG names, in their order',
  access: theRun('view'),
  params: values.runParams,
  query,
  responses: { 200: { description: 'One page.', schema: deliveryPage } },
  async handle({ object: run, query: { state, ...rest }, principal, parts }) {
    const wanted = { run: run.id, ...given(rest), ...given({ states: state }) }
    const { items, next } = await parts.store.deliveries.list(wanted)
    return ok({ items: items.map(one => answerOf(one, principal)), next })
  },
})

const ofDag = route({
  id: 'listDagDeliveries',
  method: 'GET',
  path: '/api/v1/dags/{namespace}/{name}/deliveries',
  summary: 'Messages of the runs of a DAG, newest first',
  access: theDag('view'),
  params: values.dagParams,
  query,
  responses: { 200: { description: 'One page.', schema: deliveryPage } },
  async handle({ params, query: { state, ...rest }, principal, parts }) {
    const place = { namespace: params.namespace, dag: params.name }
    const wanted = { ...place, ...given(rest), ...given({ states: state }) }
    const { items, next } = await parts.store.deliveries.list(wanted)
    return ok({ items: items.map(one => answerOf(one, principal)), next })
  },
})

const again = route({
  id: 'sendDelivery',
  method: 'POST',
  path: '/api/v1/runs/{run}/deliveries/{number}/send',
  summary: 'Sends a message again, or one that waits at once; under the same id',
  access: theRun('edit'),
  params: deliveryParams,
  responses: { 200: { description: 'The message, in line again.', schema: deliveryAnswer } },
  async handle({ params: { run, number }, principal, parts }) {
    const put = await parts.store.deliveries.again(run, number, parts.clock.now())
    if (!put) throw unknownDelivery(number)
    return ok(answerOf(await found(parts, run, number), principal))
  },
})

export const DELIVERY_ROUTES: readonly AnyRoute[] = [ofRun, ofDag, again]

async function found({ store }: ServerParts, run: string, number: number): Promise<Delivery> {
  const delivery = await store.deliveries.delivery(run, number)
  if (delivery === null) throw unknownDelivery(number)
  return delivery
}

function unknownDelivery(number: number): RequestProblem {
  const message = `the run has no message number ${number}`
  return new RequestProblem('UNKNOWN_DELIVERY', message, 'see the messages of the run')
}

/** What the network says behind a receiver is for those who may name the receiver. */
function answerOf(delivery: Delivery, principal: Principal): z.output<typeof deliveryAnswer> {
  const { run, number, namespace, dag, event, host, state, attempts } = delivery
  const edits = mayIn(principal, namespace, 'edit')
  return {
    id: deliveryId(delivery),
    run,
    number,
    namespace,
    dag,
    event,
    receiver: host,
    state,
    attempts,
    createdAt: moment(delivery.createdAt),
    nextAt: moment(delivery.nextAt),
    settledAt: moment(delivery.settledAt),
    log: delivery.log.map(one => ({
      ...one,
      at: moment(one.at),
      sentence: DELIVERY_CODES[one.code],
      address: edits ? one.address : null,
      response: edits ? one.response : null,
    })),
    message: JSON.parse(delivery.body) as unknown,
  }
}
