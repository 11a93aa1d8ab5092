import type { Paint } from './text.ts'

/** Longer lines are shown in pieces of this size, so that memory stays flat whatever a task writes. */
export const LINE_BYTES_MAX = 1024 * 1024

/** Turns the bytes of one log into what is written for it. */
export interface LogSink {
  take(bytes: Uint8Array): readonly (Uint8Array | string)[]
  /** What is left when nothing more will come. */
  end(): readonly (Uint8Array | string)[]
}

/** Byte for byte. */
export function rawSink(): LogSink {
  return { take: bytes => [bytes], end: () => [] }
}

/** One log alone in a terminal: as it comes, also half lines, but harmless. */
export function terminalSink(color: boolean): LogSink {
  const decoder = new TextDecoder()
  let held = ''
  let endsLine = true
  const shown = (text: string): readonly string[] => {
    if (text === '') return []
    endsLine = text.endsWith('\n')
    return [terminalText(text, color)]
  }
  return {
    take(bytes) {
      const text = held + decoder.decode(bytes, { stream: true })
      // The start of an escape sequence and a CR mean something only together with what follows.
      held = /(?:\u001b(?:\[[0-9;]{0,32})?|\r)$/.exec(text)?.[0] ?? ''
      return shown(text.slice(0, text.length - held.length))
    },
    end: () => [...shown(held + decoder.decode()), ...(endsLine ? [] : ['\n'])],
  }
}

/**
 * One of several logs: whole lines, each behind the name of its task. In a terminal they are made harmless; else the
 * bytes of each line stay as they are.
 */
export function prefixSink(prefix: string, terminal: { readonly color: boolean } | null): LogSink {
  let held: Uint8Array[] = []
  let heldBytes = 0
  const line = (last: Uint8Array): Uint8Array | string => {
    const whole = Buffer.concat([...held, last])
    held = []
    heldBytes = 0
    if (terminal === null) return Buffer.concat([Buffer.from(prefix), whole, NEWLINE])
    const text = new TextDecoder().decode(whole).replace(/\r+$/, '')
    // Of a progress bar that was drawn over and over, what stood there last.
    return `${prefix}${terminalText(text.slice(text.lastIndexOf('\r') + 1), terminal.color)}\n`
  }
  const hold = (rest: Uint8Array): void => {
    if (rest.length === 0) return
    // A copy: the chunk it is part of is large and would stay alive with it.
    held.push(rest.slice())
    heldBytes += rest.length
  }
  return {
    take(bytes) {
      const lines: (Uint8Array | string)[] = []
      let from = 0
      for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
        lines.push(line(bytes.subarray(from, at)))
        from = at + 1
      }
      hold(bytes.subarray(from))
      if (heldBytes >= LINE_BYTES_MAX) lines.push(line(new Uint8Array()))
      return lines
    },
    end: () => (heldBytes > 0 ? [line(new Uint8Array())] : []),
  }
}

const NEWLINE = Buffer.from('\n')

/** Names in front of lines: one width, a colour that stays with the task. */
export function prefixOf(name: string, index: number, width: number, paint: Paint): string {
  const colors = ['cyan', 'magenta', 'green', 'yellow', 'blue', 'red'] as const
  return `${paint(colors[index % colors.length] ?? 'cyan', name.padEnd(width))} ${paint('dim', '|')} `
}

/**
 * Text of a task made harmless: colours stay (or go, without colour), every other control character becomes a visible
 * mark. A CR alone starts the line anew, as progress bars do, so it becomes a line end.
 */
export function terminalText(text: string, color: boolean): string {
  const parts = text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split(SGR)
  const clean = parts.map((part, at) => {
    if (at % 2 === 1) return color ? part : ''
    return part.replace(HARMFUL, '\ufffd')
  })
  const colored = color && parts.length > 1
  return colored ? `${clean.join('')}\u001b[0m` : clean.join('')
}

/** Colours and weights; never `8`, which hides text. */
const SGR = /(\u001b\[(?:(?:[0-79]|[1-9][0-9]{1,2})(?:;[0-9]{1,3}){0,8})?m)/
const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]/g
