import * as z from 'zod'

const place = z.object({ line: z.int(), column: z.int() })

/** One thing that is wrong. `path` leads to it from the root of the document, or of the part of the request. */
const oneProblem = z
  .object({
    code: z.string(),
    severity: z.enum(['error', 'warning']),
    path: z.array(z.union([z.string(), z.int()])),
    message: z.string(),
    fix: z.string(),
    at: place.optional().describe('Where in the text; lines and columns count from 1.'),
  })
  .meta({ id: 'OneProblem' })

export const problemList = z.object({ problems: z.array(oneProblem) }).meta({ id: 'ProblemList' })

export type ProblemAnswer = z.infer<typeof problemAnswer>

/** RFC 9457. */
export const problemAnswer = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('Stable; the same as the CLI says.'),
    detail: z.string(),
    fix: z.string().describe('What to do about it.'),
    correlationId: z.string().describe('Stands in the log of the server, too.'),
    problems: z.array(oneProblem),
  })
  .meta({ id: 'Problem' })
