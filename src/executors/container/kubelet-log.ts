const NEWLINE = 10
const SPACE = 32
const FULL = 70

/**
 * Takes the bytes of a container out of a log in the format of the kubelet: lines `TIME STREAM P|F TEXT`, where
 * `P` is a part of a line and `F` its end. A last line that is not whole yet waits for its rest.
 */
export function kubeletLogReader(): (chunk: Buffer) => Buffer[] {
  let rest: Buffer = Buffer.alloc(0)
  return chunk => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const parts: Buffer[] = []
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      const part = textOf(bytes, start, end)
      if (part !== null) parts.push(part)
      start = end + 1
    }
    rest = Buffer.from(bytes.subarray(start))
    return parts
  }
}

/** The text between the third space and the end; with the newline when the line is whole. */
function textOf(bytes: Buffer, start: number, end: number): Buffer | null {
  const second = bytes.indexOf(SPACE, bytes.indexOf(SPACE, start) + 1)
  const tag = second + 1
  if (second === -1 || tag + 2 > end) return null
  return bytes.subarray(tag + 2, bytes[tag] === FULL ? end + 1 : end)
}
