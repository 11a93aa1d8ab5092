import { type Paint, cut, textWidth } from './text.ts'

export interface Column<Row> {
  readonly title: string
  /** Plain text; what strangers wrote must be `printable` already. */
  readonly cell: (row: Row) => string
  readonly style?: (text: string, row: Row) => string
  readonly align?: 'right'
}

const GAP = '  '

/**
 * Rows in aligned columns under a line of titles. The last column takes what is left of `width` and is cut there; the
 * others are never cut, since names are made to be copied.
 */
export function tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: { readonly paint: Paint; readonly width: number },
): readonly string[] {
  const cells = rows.map(row => columns.map(column => column.cell(row)))
  const widths = columns.map(({ title }, at) =>
    Math.max(textWidth(title), ...cells.map(row => textWidth(row[at] ?? ''))),
  )
  const last = columns.length - 1
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0)
  const room = Math.max(20, options.width - before)
  const line = (texts: readonly string[], style: (text: string, at: number) => string): string =>
    texts
      .map((whole, at) => {
        const text = at === last ? cut(whole, room) : whole
        const space = ' '.repeat(Math.max(0, (widths[at] ?? 0) - textWidth(text)))
        const styled = text === '' ? '' : style(text, at)
        if (columns[at]?.align === 'right') return space + styled
        return at === last ? styled : styled + space
      })
      .join(GAP)
      .trimEnd()
  const titles = line(
    columns.map(({ title }) => title),
    text => options.paint('dim', text),
  )
  const body = rows.map((row, index) =>
    line(cells[index] ?? [], (text, at) => columns[at]?.style?.(text, row) ?? text),
  )
  return [titles, ...body]
}
