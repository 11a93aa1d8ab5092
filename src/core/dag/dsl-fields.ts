import { nearest } from '../nearest.ts'
import type { DslTask } from './dsl.ts'
import { type DslReader, expect, fail, isName, nameOf, next, peek, problemAt, recover } from './dsl-reader.ts'
import type { DslToken } from './dsl-tokens.ts'

type Fields = { -readonly [Key in keyof Omit<DslTask, 'name' | 'line' | 'column'>]?: DslTask[Key] } & {
  parameterTokens: readonly DslToken[]
}

/** What each field of a task takes. */
const READ: Readonly<Record<string, (reader: DslReader, fields: Fields, open: DslToken) => void>> = {
  image: (reader, fields, open) => (fields.image = textOf(reader, open)),
  command: (reader, fields, open) => (fields.command = textsOf(reader, open)),
  args: (reader, fields, open) => (fields.args = textsOf(reader, open)),
  script: (reader, fields, open) => (fields.script = textOf(reader, open)),
  parameters: (reader, fields, open) => {
    fields.parameterTokens = listOf(reader, open)
    fields.parameters = fields.parameterTokens.map(token => token.text)
  },
  retry: (reader, fields, open) => (fields.retryCodes = listOf(reader, open, 'integer').map(integerOf)),
  backoff: (reader, fields, open) => (fields.backoff = integerOf(next(reader, open))),
  env: (reader, fields) => (fields.env = readEnv(reader)),
  outputs: (reader, fields, open) => (fields.outputs = textsOf(reader, open)),
  when: (reader, fields, open) => (fields.when = textOf(reader, open)),
  forEach: (reader, fields, open) => (fields.forEach = textOf(reader, open)),
  triggerRule: (reader, fields, open) => (fields.triggerRule = wordOf(reader, open)),
  timeout: (reader, fields, open) => (fields.timeout = textOf(reader, open)),
  pendingTimeout: (reader, fields, open) => (fields.pendingTimeout = textOf(reader, open)),
  allowFailure: (reader, fields, open) => (fields.allowFailure = booleanOf(next(reader, open))),
}

/** Names of the fields of a task. */
export const TASK_FIELDS: readonly string[] = Object.keys(READ)

/** Reads the fields of a task up to its `}`; a mistake in one does not hide the next. */
export function readTaskFields(reader: DslReader, task: DslToken, open: DslToken): Fields {
  const fields: Fields = { parameterTokens: [] }
  const seen = new Map<string, DslToken>()
  while (peek(reader).kind !== '}') {
    const start = reader.at
    try {
      readField(reader, fields, task, open, seen)
    } catch (error) {
      if (!recover(reader, error, start, open.depth + 1, TASK_FIELDS)) return fields
    }
  }
  next(reader)
  return fields
}

function readField(
  reader: DslReader,
  fields: Fields,
  task: DslToken,
  open: DslToken,
  seen: Map<string, DslToken>,
): void {
  const key = next(reader, open)
  const read = key.kind === 'name' && Object.hasOwn(READ, key.text) ? READ[key.text] : undefined
  if (read === undefined) {
    const guess = key.kind === 'name' ? nearest(key.text, TASK_FIELDS) : null
    const message = `a task has no field ${nameOf(key)}${guess === null ? '' : `; did you mean ${guess}?`}`
    const fix = `Use one of: ${TASK_FIELDS.join(', ')}.`
    if (key.kind !== 'name') fail(key, message, fix, 'DSL_UNKNOWN_FIELD')
    reader.problems.push(problemAt(key, 'DSL_UNKNOWN_FIELD', message, fix))
    return skipValue(reader, open)
  }
  const before = seen.get(key.text)
  seen.set(key.text, key)
  if (before !== undefined) {
    const message = `${key.text} of task ${task.text} stands twice; this one counts, not the one on line ${before.line}`
    reader.warnings.push({
      ...problemAt(key, 'DSL_REPEATED', message, 'Remove one of them.'),
      severity: 'warning',
    })
  }
  read(reader, fields, open)
  if (peek(reader).kind === ',') next(reader)
}

/** Passes over the value of a field that is not known: a text, a number, a list, a block, or nothing. */
function skipValue(reader: DslReader, open: DslToken): void {
  const first = peek(reader)
  if (first.kind === 'string' || first.kind === 'integer') next(reader, open)
  if (first.kind !== '[' && first.kind !== '{') return
  let level = 0
  do {
    const { kind } = next(reader, open)
    if (kind === '[' || kind === '{') level += 1
    if (kind === ']' || kind === '}') level -= 1
  } while (level > 0)
}

function textOf(reader: DslReader, open: DslToken): string {
  const token = next(reader, open)
  if (token.kind !== 'string')
    fail(token, `expected a text, found ${nameOf(token)}`, 'Put the text in double quotes.')
  return token.text
}

function wordOf(reader: DslReader, open: DslToken): string {
  const token = next(reader, open)
  if (!isName(token)) fail(token, `expected a word, found ${nameOf(token)}`, 'Write one word.')
  return token.text
}

function textsOf(reader: DslReader, open: DslToken): readonly string[] {
  return listOf(reader, open).map(token => token.text)
}

/** `[ … ]` with at least one element; a comma after the last is fine. */
function listOf(
  reader: DslReader,
  open: DslToken,
  kind: 'string' | 'integer' = 'string',
): readonly DslToken[] {
  const what = kind === 'string' ? 'a text in double quotes' : 'a whole number'
  expect(reader, '[', 'a list, [ … ]')
  const list: DslToken[] = []
  for (;;) {
    const token = next(reader, open)
    if (token.kind === ']' && list.length > 0) return list
    if (token.kind !== kind) fail(token, `expected ${what}, found ${nameOf(token)}`, `Write ${what}.`)
    list.push(token)
    const after = next(reader, open)
    if (after.kind === ']') return list
    if (after.kind !== ',')
      fail(after, `expected , or ], found ${nameOf(after)}`, 'Put commas between the elements.')
  }
}

function integerOf(token: DslToken): number {
  if (token.kind !== 'integer' || token.text.length > 9)
    fail(
      token,
      `expected a whole number below a thousand million, found ${nameOf(token)}`,
      'Write a whole number.',
    )
  return Number(token.text)
}

function booleanOf(token: DslToken): boolean {
  if (token.text !== 'true' && token.text !== 'false')
    fail(token, `expected true or false, found ${nameOf(token)}`, 'Write true or false.')
  return token.text === 'true'
}

/** `env { NAME "value" … }` */
function readEnv(reader: DslReader): readonly { readonly name: string; readonly value: string }[] {
  const open = expect(reader, '{', '{ after env')
  const variables: { readonly name: string; readonly value: string }[] = []
  while (peek(reader).kind !== '}') {
    const name = wordOf(reader, open)
    variables.push({ name, value: textOf(reader, open) })
    if (peek(reader).kind === ',') next(reader)
  }
  next(reader)
  return variables
}
