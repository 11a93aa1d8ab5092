import { yamlText } from '../../spec/yaml-text.ts'

export type DataFormat = 'json' | 'yaml'

export const isDataFormat = (format: string | undefined): format is DataFormat =>
  format === 'json' || format === 'yaml'

/** Data for programs, on standard output. */
export function printData(format: DataFormat, value: unknown): void {
  process.stdout.write(format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : yamlText(value))
}

export function printLines(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`)
}
