import type { Argument, Command, Option } from 'commander'
import { systemClock } from '../../host/clock.ts'
import { isThere } from '../local.ts'
import { type Records, openRecords } from '../records.ts'
import { readContexts } from '../remote/contexts.ts'
import { environment, type GlobalOptions } from '../settings.ts'
import { ago } from '../show/text.ts'

export interface Candidate {
  readonly word: string
  readonly meaning: string
}

/** Names that stand in a state directory or in a cluster; none when there is nothing that can be read. */
export interface Names {
  /** Runs that the command can do something with, newest first. */
  runs(command: string): Promise<readonly Candidate[]>
  dags(): Promise<readonly Candidate[]>
  tasks(run: string | undefined): Promise<readonly Candidate[]>
}

/** What the shell may add of its own; the numbers are those that kubectl's plugins answer as well. */
const DIRECTIVE = { files: 0, nothing: 4, directories: 16 } as const

interface Answer {
  readonly candidates: readonly Candidate[]
  readonly directive: keyof typeof DIRECTIVE
}

export const NAMES_MAX = 50

/**
 * Answers what may stand at the last of the words; see the scripts of `completion`.
 *
 * @param others  Where names come from, when not from the state directory.
 */
export async function complete(
  program: Command,
  words: readonly string[],
  others: Names | null = null,
): Promise<void> {
  const { candidates, directive } = await answer(program, words, others)
  const current = words.at(-1) ?? ''
  for (const { word, meaning } of candidates) {
    if (word.startsWith(current)) process.stdout.write(`${word}\t${meaning}\n`)
  }
  process.stdout.write(`:${DIRECTIVE[directive]}\n`)
}

async function answer(program: Command, words: readonly string[], others: Names | null): Promise<Answer> {
  const typed = typedWords(program, words.slice(0, -1))
  const names = others ?? storedNames(typed.globals)
  const current = words.at(-1) ?? ''
  const { command, pending, positions } = typed
  if (pending !== null) return await optionValues(pending, typed, names)
  if (current.startsWith('-')) return nothingElse(optionsOf(command))
  if (command.commands.length > 0 && positions.length === 0) {
    const visible = command.createHelp().visibleCommands(command)
    return nothingElse(visible.map(sub => ({ word: sub.name(), meaning: sub.description() })))
  }
  const places = command.registeredArguments
  const last = places.at(-1)
  const place = places[positions.length] ?? (last?.variadic === true ? last : undefined)
  return place === undefined ? nothingElse([]) : await argumentValues(place, command, positions, names)
}

interface Typed {
  readonly command: Command
  /** The option whose value comes next. */
  readonly pending: Option | null
  readonly positions: readonly string[]
  readonly globals: GlobalOptions
}

/** Walks over what was typed as the program would. */
function typedWords(program: Command, words: readonly string[]): Typed {
  let command = program
  let pending: Option | null = null
  let globals: GlobalOptions = {}
  const positions: string[] = []
  for (const word of words) {
    if (pending !== null) {
      globals = withGlobal(globals, pending.long, word)
      pending = null
      continue
    }
    if (word.startsWith('-') && word !== '-') {
      const [name = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(word)?.slice(1) ?? []
      const option = allOptions(command).find(({ long, short }) => long === name || short === name)
      globals = withGlobal(globals, option?.long, value)
      if (option !== undefined && value === undefined && (option.required || option.optional))
        pending = option
      continue
    }
    const sub =
      positions.length === 0 ? command.commands.find(candidate => candidate.name() === word) : undefined
    if (sub === undefined) positions.push(word)
    else command = sub
  }
  return { command, pending, positions, globals }
}

function allOptions(command: Command): readonly Option[] {
  const above = command.parent === null ? [] : allOptions(command.parent)
  return [...command.options, ...above]
}

function optionsOf(command: Command): readonly Candidate[] {
  return allOptions(command).flatMap(({ long, description }) =>
    long === undefined || long === null ? [] : [{ word: long, meaning: description }],
  )
}

async function optionValues(option: Option, typed: Typed, names: Names): Promise<Answer> {
  if (option.argChoices !== undefined) return nothingElse(plain(option.argChoices))
  switch (option.long) {
    case '--server':
      return nothingElse(contextNames())
    case '--kubeconfig':
    case '--ca-file':
    case '--token-file':
    case '--file':
      return { candidates: [], directive: 'files' }
    case '--state':
      return { candidates: [], directive: 'directories' }
    case '--dag':
      return nothingElse(await names.dags())
    case '--task':
    case '--from':
      return nothingElse(await names.tasks(typed.positions[0]))
    case '--phase':
      return nothingElse(plain(['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']))
    default:
      return nothingElse([])
  }
}

async function argumentValues(
  argument: Argument,
  command: Command,
  positions: readonly string[],
  names: Names,
): Promise<Answer> {
  if (argument.argChoices !== undefined) return nothingElse(plain(argument.argChoices))
  switch (argument.name()) {
    case 'run':
      return nothingElse(await names.runs(command.name()))
    case 'dag':
      return nothingElse(await names.dags())
    case 'context': {
      const local = { word: 'local', meaning: 'this machine' }
      return nothingElse([...contextNames(), ...(command.name() === 'use' ? [local] : [])])
    }
    case 'task':
      return nothingElse(await names.tasks(positions[0]))
    case 'dir':
      return { candidates: [], directive: 'directories' }
    case 'file':
      return { candidates: [], directive: 'files' }
    case 'file|dag':
      return { candidates: await names.dags(), directive: 'files' }
    case 'run|dag':
      return nothingElse([...(await names.dags()), ...(await names.runs(command.name()))])
    default:
      return nothingElse([])
  }
}

const nothingElse = (candidates: readonly Candidate[]): Answer => ({ candidates, directive: 'nothing' })
const plain = (words: readonly string[]): readonly Candidate[] => words.map(word => ({ word, meaning: '' }))

function withGlobal(
  globals: GlobalOptions,
  option: string | undefined,
  value: string | undefined,
): GlobalOptions {
  if (value === undefined) return globals
  if (option === '--state') return { ...globals, state: value }
  if (option === '--server') return { ...globals, server: value }
  if (option === '--ca-file') return { ...globals, caFile: value }
  return option === '--database' ? { ...globals, database: value } : globals
}

const storedNames = (globals: GlobalOptions): Names => ({
  runs: command => fromRecords(globals, records => runNames(records, command)),
  dags: () => fromRecords(globals, dagNames),
  tasks: run => fromRecords(globals, records => taskNames(records, run)),
})

/** Someone who is typing waits no longer. */
const PATIENCE_MS = 3_000

/** Someone who is typing sees no error: without records that can be read there is nothing to offer. */
async function fromRecords(
  globals: GlobalOptions,
  read: (records: Records) => Promise<readonly Candidate[]>,
): Promise<readonly Candidate[]> {
  try {
    const place = environment(globals, 'none')
    if (place.server === null && !isThere(place)) return []
    await using records = await openRecords(place)
    const late = new Promise<readonly Candidate[]>(resolve => {
      setTimeout(resolve, PATIENCE_MS, []).unref()
    })
    return await Promise.race([read(records), late])
  } catch {
    return []
  }
}

/** Commands that only runs under way have a use for. */
export const OF_OPEN_RUNS: readonly string[] = ['cancel', 'pause', 'resume', 'approve', 'watch']

async function runNames(records: Records, command: string): Promise<readonly Candidate[]> {
  const isOpen = OF_OPEN_RUNS.includes(command)
  const phases = isOpen ? { phases: ['queued', 'running', 'paused'] as const } : {}
  const { items } = await records.runs({ ...phases, limit: NAMES_MAX })
  const now = systemClock.now()
  const runs = items.map(({ name, phase, createdAt }) => ({
    word: name,
    meaning: `${phase}, ${ago(now - createdAt)}`,
  }))
  return [...runs, { word: '@last', meaning: 'the newest run' }]
}

async function dagNames(records: Records): Promise<readonly Candidate[]> {
  return (await records.dags()).map(({ name }) => ({ word: name, meaning: 'DAG' }))
}

async function taskNames(records: Records, run: string | undefined): Promise<readonly Candidate[]> {
  if (run === undefined) return []
  const state = await records.load((await records.find(run)).id)
  return (state?.tasks ?? []).slice(0, 1_000).map(({ key, state: how }) => ({ word: key, meaning: how }))
}

function contextNames(): readonly Candidate[] {
  try {
    return [...readContexts().contexts].map(([word, { server }]) => ({ word, meaning: server }))
  } catch {
    return []
  }
}
