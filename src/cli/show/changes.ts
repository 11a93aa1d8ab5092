import type { DagChange } from '../dag-changes.ts'
import { type Paint, printable } from './text.ts'

/** `~ task build: image`: one difference between two versions of a DAG. */
export function changeText({ change, what, name, detail }: DagChange, paint: Paint): string {
  const text = `${what} ${name}${detail === '' ? '' : `: ${printable(detail)}`}`
  switch (change) {
    case 'added':
      return paint('green', `+ ${text}`)
    case 'removed':
      return paint('red', `- ${text}`)
    case 'changed':
      return paint('yellow', `~ ${text}`)
  }
}
