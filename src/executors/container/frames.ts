const HEADER_BYTES = 8

/**
 * Takes the payloads out of Docker's stream of frames (`[stream, 0, 0, 0, length, payload]`), whatever the cuts.
 * What it gives are views of the chunks it got; nothing is kept but a header that was cut.
 */
export function frameReader(): (chunk: Buffer) => Buffer[] {
  let header: Buffer = Buffer.alloc(0)
  let left = 0
  return chunk => {
    const payloads: Buffer[] = []
    let rest = chunk
    while (rest.length > 0) {
      if (left > 0) {
        const part = rest.subarray(0, left)
        payloads.push(part)
        left -= part.length
        rest = rest.subarray(part.length)
        continue
      }
      const missing = HEADER_BYTES - header.length
      header = Buffer.concat([header, rest.subarray(0, missing)])
      rest = rest.subarray(missing)
      if (header.length < HEADER_BYTES) break
      left = header.readUInt32BE(4)
      header = Buffer.alloc(0)
    }
    return payloads
  }
}
