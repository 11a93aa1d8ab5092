import { stringify } from 'yaml'

export type DataFormat = 'json' | 'yaml'

export const isDataFormat = (format: string | undefined): format is DataFormat =>
  format === 'json' || format === 'yaml'

/** Data for programs, on standard output. */
export function printData(format: DataFormat, value: unknown): void {
  const text = format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : stringify(value, { lineWidth: 0 })
  process.stdout.write(text)
}

export function printLines(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`)
}
