const CHUNK_BYTES = 256 * 1024

/**
 * Where the last `lines` lines of `size` bytes begin. A line end at the very end does not begin another line.
 */
export async function offsetOfLast(
  lines: number,
  size: number,
  read: (from: number, bytes: number) => Promise<Uint8Array>,
): Promise<number> {
  if (lines === 0) return size
  let missing = lines
  let end = size
  while (end > 0) {
    const from = Math.max(0, end - CHUNK_BYTES)
    const bytes = await read(from, end - from)
    for (let at = bytes.lastIndexOf(10); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(10, at - 1)) {
      if (from + at === size - 1) continue
      missing -= 1
      if (missing === 0) return from + at + 1
    }
    end = from
  }
  return 0
}
