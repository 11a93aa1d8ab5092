import * as z from 'zod'
import { SERVER_LIMITS } from '../limits.ts'

/** Parts of a path. What does not fit names nothing, and is answered like what is not there. */
export const dagParams = z.object({
  namespace: z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/),
  name: z.string().regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/),
})
export const versionParams = dagParams.extend({
  version: z
    .string()
    .regex(/^[1-9]\d{0,8}$/)
    .transform(Number)
    .meta({ type: 'integer' }),
})
const runId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/)
export const runParams = z.object({ run: runId })
export const taskParams = z.object({
  run: runId,
  task: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}(?:\[\d{1,6}\])?$/)
    .describe('Key of the task: its name, or `name[3]` for the fourth item of a fan-out.'),
})

/** One of the values of a query: `?limit=20`. */
const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most)

export const limit = whole(1, SERVER_LIMITS.pageMax)
  .optional()
  .describe('Most items of the page; default 50.')
export const longLimit = whole(1, SERVER_LIMITS.longPageMax)
  .optional()
  .describe('Most items of the page; default 500.')
export const after = z.string().min(1).max(1_000).optional().describe('`next` of the page before.')
export const namespace = z.string().min(1).max(63).optional()
export const offset = whole(0, Number.MAX_SAFE_INTEGER)
export const count = whole(1, SERVER_LIMITS.logLinesMax)
export const bytes = whole(1, SERVER_LIMITS.logBytesMax)
export const flag = z.enum(['true', 'false']).transform(text => text === 'true')
export const seq = whole(0, Number.MAX_SAFE_INTEGER)

/** Given several times, or with commas: `?phase=failed&phase=running`, `?phase=failed,running`. */
export const listOf = <Item extends z.ZodType>(item: Item) =>
  z.preprocess(given => {
    const texts: unknown[] = Array.isArray(given) ? given : [given]
    return texts.flatMap(text => (typeof text === 'string' ? text.split(',') : [text]))
  }, z.array(item))

/** `?label=team=data`, several times for several labels. */
export const labels = z
  .preprocess(
    given => (typeof given === 'string' ? [given] : given),
    z.array(z.string().regex(/^[^=]{1,317}=.{0,63}$/, 'write NAME=value')).max(20),
  )
  .transform(texts =>
    Object.fromEntries(
      texts.map(text => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)] as const),
    ),
  )

/** RFC 3339, or milliseconds since 1970. */
export const moment = z
  .string()
  .transform((text, context) => {
    const at = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text)
    if (Number.isFinite(at)) return at
    context.addIssue({ code: 'custom', message: 'write it as 2026-11-25T08:00:00Z' })
    return z.NEVER
  })
  .describe('RFC 3339, or milliseconds since 1970.')

export const timeText = z.string().describe('RFC 3339, UTC.')
export const json: z.ZodType = z.unknown().describe('Any JSON value.')

export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    next: z.string().nullable().describe('Give it as `after` to read on; null at the end.'),
  })
