import * as z from 'zod'
import { DELIVERY_CODES, type DeliveryCode } from '../../ports/deliveries.ts'
import { json, pageOf, timeText } from './values.ts'

export const DELIVERY_STATES = ['waiting', 'delivered', 'failed', 'gone'] as const

const CODES = Object.keys(DELIVERY_CODES) as [DeliveryCode, ...DeliveryCode[]]

const attempt = z
  .object({
    at: timeText,
    durationMs: z.number(),
    code: z.enum(CODES),
    sentence: z.string().describe('What the code means.'),
    status: z.number().nullable().describe('Of the answer; null when there was none.'),
    address: z.string().nullable().describe('Where it was sent; for editors.'),
    verified: z.boolean().nullable().describe('Whether the certificate was checked; null without TLS.'),
    response: z.string().nullable().describe('The beginning of the answer; for editors.'),
  })
  .meta({ id: 'DeliveryAttempt' })

export const deliveryAnswer = z
  .object({
    id: z.string().describe('What the receiver gets as `webhook-id`, the same with each attempt.'),
    run: z.string(),
    number: z.number().describe('Its place among the messages of the run.'),
    namespace: z.string(),
    dag: z.string(),
    event: z.string(),
    receiver: z.string().describe('Host and port.'),
    state: z.enum(DELIVERY_STATES),
    attempts: z.number(),
    createdAt: timeText,
    nextAt: timeText.nullable().describe('When it is tried next, once those before it are settled.'),
    settledAt: timeText.nullable(),
    log: z.array(attempt).describe('The last attempts, the newest last.'),
    message: json.describe('What is sent.'),
  })
  .meta({ id: 'Delivery' })

export const deliveryPage = pageOf(deliveryAnswer).meta({ id: 'DeliveryPage' })
