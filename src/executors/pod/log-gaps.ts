import type { LogPlace } from './log-cursor.ts'

/** Says in the log itself that lines of it may be missing; a line of its own. */
export function gapLine(before: LogPlace | null, next: string | null): Buffer {
  const from = before === null ? 'before' : `between ${before.at} and`
  return notice(
    before,
    `lines ${from} ${next ?? 'the end'} may be missing: the node had rotated its file away`,
  )
}

/** Says that the rest of a log, or all of it, could not be read. */
export function restMissing(before: LogPlace | null, why: string): Buffer {
  return notice(before, `${before === null ? 'the log' : `what came after ${before.at}`} is missing: ${why}`)
}

/** Says, at the end of a log, that its beginning may have gone before it was first read. */
export const doubtLine = (first: string, endsLine: boolean): Buffer =>
  Buffer.from(
    `${endsLine ? '' : '\n'}[kontroler: lines before ${first}, the first of this log, may be missing: ` +
      'so much was written that the node may have rotated its file away]\n',
  )

/** Says that a log has reached its bound. `last` is its last byte so far. */
export function cutLine(bytesMax: number, last: number | undefined): Buffer {
  const text = `the rest is not kept: a log may have ${bytesMax} bytes (logs.maxBytes)`
  return Buffer.from(`${last === undefined || last === NEWLINE ? '' : '\n'}[kontroler: ${text}]\n`)
}

const NEWLINE = 10

function notice(before: LogPlace | null, text: string): Buffer {
  return Buffer.from(`${before === null || before.part === null ? '' : '\n'}[kontroler: ${text}]\n`)
}
