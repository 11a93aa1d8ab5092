import { RequestProblem } from './problem.ts'

/** Maps and lists inside each other. */
const DEPTH_MAX = 64

/** @throws {RequestProblem} `MALFORMED_BODY` */
export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new RequestProblem('MALFORMED_BODY', 'the body is not UTF-8 text', 'send it as UTF-8')
  }
}

/** @throws {RequestProblem} `MALFORMED_BODY` */
export function jsonOf(bytes: Uint8Array): unknown {
  const text = textOf(bytes)
  if (depthOf(text) > DEPTH_MAX) {
    const message = `the body nests more than ${DEPTH_MAX} maps and lists in each other`
    throw new RequestProblem('MALFORMED_BODY', message, 'send something flatter')
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    // V8 quotes the text around the place; the place alone is told.
    const [, at] = /position (\d+)/.exec(error instanceof Error ? error.message : '') ?? []
    const place = at === undefined ? 'at its end' : placeIn(text, Number(at))
    throw new RequestProblem('MALFORMED_BODY', `the body is not JSON ${place}`, 'correct it there')
  }
}

/** How deep the brackets outside of texts go. */
function depthOf(text: string): number {
  let depth = 0
  let most = 0
  let quoted = false
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code === 34) quoted = !quoted
    else if (quoted) {
      if (code === 92) index += 1
    } else if (code === 91 || code === 123) most = Math.max(most, ++depth)
    else if (code === 93 || code === 125) depth -= 1
  }
  return most
}

function placeIn(text: string, at: number): string {
  const before = text.slice(0, at).split('\n')
  return `at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
}
