import type { Readable } from 'node:stream'

/** More bytes came than anybody wants to hold. */
export class BodyTooLarge extends Error {
  readonly code = 'BODY_TOO_LARGE'

  constructor(bytesMax: number) {
    super(`the answer is larger than ${bytesMax} bytes`)
  }
}

/**
 * The whole of a body.
 *
 * @param beyond What to do when it is larger than `bytesMax`: give up, or be content with the beginning.
 */
export function readBody(body: Readable, bytesMax: number, beyond: 'fail' | 'cut' = 'fail'): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let length = 0
    body.on('data', (part: Buffer) => {
      parts.push(part)
      length += part.length
      if (length <= bytesMax) return
      if (beyond === 'cut') resolve(Buffer.concat(parts).subarray(0, bytesMax))
      else reject(new BodyTooLarge(bytesMax))
      body.destroy()
    })
    body.on('end', () =>
      resolve(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)),
    )
    body.on('error', reject)
    body.on('close', () => reject(new Error('the answer broke off')))
  })
}
