import { Argument, Command, CommanderError, Option } from 'commander'
import { StoreError } from '../ports/store.ts'
import { asksForCluster, GLOBAL_VALUES, isPluginProgram } from './cluster/asked.ts'
import { acts, many, output } from './declare.ts'
import { CommandError, EXIT } from './exit.ts'
import { EXAMPLES } from './examples.ts'
import { programName } from './program-name.ts'
import { READ_COMMANDS } from './reading.ts'
import { VERSION } from '../host/version.ts'

/** This command drives runs: they come first, whether or not anybody still reads of them. */
let driving = false

/** Reads the command line, runs one command, sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  // A reader that has seen enough (`| head`) is no trouble: what only shows ends, what drives a run goes on with it.
  process.stdout.on('error', error => {
    if (!driving && 'code' in error && error.code === 'EPIPE') process.exit(0)
  })
  process.stderr.on('error', () => undefined)
  try {
    // Words under completion may be anything, so they are not parsed.
    if (argv[0] === '__complete') return await complete(argv.slice(1))
    const program = asksForCluster(argv) ? await clusterProgram(argv) : buildProgram(withoutGlobals(argv))
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    process.exitCode = await report(error, argv)
  }
}

/** Loaded only when it is asked for, so that commands about this machine begin as fast as without it. */
async function clusterProgram(argv: readonly string[]): Promise<Command> {
  const [{ buildClusterProgram }, { CLUSTER_EXAMPLES }] = await Promise.all([
    import('./cluster/program.ts'),
    import('./cluster/examples.ts'),
  ])
  const program = buildClusterProgram(argv)
  withExamples(program, [], CLUSTER_EXAMPLES, isPluginProgram() ? '' : '-n data ')
  return program
}

async function complete(words: readonly string[]): Promise<void> {
  const completing = await import('./commands/complete.ts')
  if (!asksForCluster(words)) return await completing.complete(buildProgram(), words)
  const { clusterNames } = await import('./cluster/complete.ts')
  return await completing.complete(await clusterProgram(words), words, clusterNames(words))
}

/** The words from the command on. */
function withoutGlobals(argv: readonly string[]): readonly string[] {
  let at = 0
  while (argv[at]?.startsWith('-') === true) at += GLOBAL_VALUES.includes(argv[at] ?? '') ? 2 : 1
  return argv.slice(at)
}

async function report(error: unknown, argv: readonly string[]): Promise<number> {
  const known = await knownTrouble(error, argv)
  if (typeof known === 'number') return known
  if (wantsJson(argv)) {
    process.stderr.write(`${JSON.stringify({ code: known.code, message: known.message, fix: known.fix })}\n`)
  } else if (known.message !== '') {
    process.stderr.write(
      `error ${known.code}: ${known.message}\n${known.fix === '' ? '' : `  fix: ${known.fix}\n`}`,
    )
  }
  return known.exitCode
}

/** What went wrong as a sentence and a way out; a number when everything was said already. */
async function knownTrouble(error: unknown, argv: readonly string[]): Promise<CommandError | number> {
  if (error instanceof CommandError) return error
  if (error instanceof StoreError) return (await import('./local.ts')).storeTrouble(error)
  if (!(error instanceof CommanderError)) throw error
  if (error.exitCode === 0) return EXIT.succeeded
  if (error.code === 'commander.help') return EXIT.usage
  const program = asksForCluster(argv) ? await clusterProgram(argv) : buildProgram()
  return usageTrouble(error, commandIn(program, argv))
}

/** `error: unknown option '--al'\n(Did you mean --all?)` in the words of all other errors. */
function usageTrouble(error: CommanderError, words: readonly string[]): CommandError {
  const [, message = error.message, meant] =
    /^(?:error: )?(.*?)\.?(?:\n\((Did you mean .*)\))?$/s.exec(error.message) ?? []
  const help = `see ${[programName(), ...words, '--help'].join(' ')}`
  const fix = meant === undefined ? help : `${meant[0]?.toLowerCase()}${meant.slice(1)} ${help}`
  const code = error.code === 'commander.unknownCommand' ? 'UNKNOWN_COMMAND' : 'BAD_OPTION'
  return new CommandError(code, withoutPasswords(message), fix)
}

/** A misspelt option is quoted with its value, which may be the URL of a database. */
function withoutPasswords(text: string): string {
  return text.replace(/(\w+:\/\/[^\s/:@]*):.*@/gs, '$1:***@')
}

/** The words of the command line that name a command. */
function commandIn(program: Command, argv: readonly string[]): readonly string[] {
  let command = program
  const words: string[] = []
  for (const word of argv) {
    const next = command.commands.find(candidate => candidate.name() === word)
    if (next === undefined) continue
    words.push(word)
    command = next
  }
  return words
}

function wantsJson(argv: readonly string[]): boolean {
  return argv.some((word, at) => {
    const value = /^(?:-o|--output)=?(.*)$/s.exec(word)?.[1]
    return value === 'json' || (value === '' && argv[at + 1] === 'json')
  })
}

/** Every command, in the order in which help shows them, with how it is declared. */
const COMMANDS: Readonly<Record<string, (program: Command) => void>> = {
  run,
  resume,
  dev,
  ...READ_COMMANDS,
  cancel,
  pause,
  approve,
  retry,
  fork,
  completion,
}

/**
 * The command line as data; the completion, the reference page and the tests read it too.
 *
 * @param words  A command line: when its first word is a command, only that one is declared, which saves as much time
 *   as a short command takes. Without it all of them.
 */
export function buildProgram(words: readonly string[] = []): Command {
  const program = new Command(programName())
    .description('Runs DAGs of tasks: on this machine now, in Kubernetes unchanged.')
    .version(VERSION, '-V, --version')
    .option('--state <dir>', 'state directory (default: $KONTROLER_STATE or .kontroler)')
    .option(
      '--database <url>',
      'PostgreSQL instead of a file in the state directory (default: $KONTROLER_DATABASE)',
    )
    .option('--no-color', 'no colour, as with NO_COLOR or a pipe')
    .showSuggestionAfterError()
    // Errors are told by `report`, like all others.
    .configureOutput({ outputError: () => undefined })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
  const [first = ''] = words
  const asked = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined
  for (const declare of asked === undefined ? Object.values(COMMANDS) : [asked]) declare(program)
  withExamples(program, [], EXAMPLES, '')
  program.addHelpText('after', `\n${ABOUT_CLUSTERS}`)
  return program
}

const ABOUT_CLUSTERS = `With -n NAMESPACE, --context or --kubeconfig, and as kubectl kontroler, commands
are about the DAGs of a cluster, submit among them: kontroler -n NAMESPACE --help.`

/** Every command shows how it is used. */
function withExamples(command: Command, words: readonly string[], all: typeof EXAMPLES, which: string): void {
  const examples = all[words.join(' ')] ?? []
  if (examples.length > 0) {
    const widest = Math.max(...examples.map(([text]) => text.length))
    const lines = examples.map(([text, why]) => `  ${programName()} ${which}${text.padEnd(widest)}  # ${why}`)
    command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
  }
  for (const sub of command.commands) withExamples(sub, [...words, sub.name()], all, which)
}

function executing(command: Command): Command {
  return command
    .hook('preAction', () => {
      driving = true
    })
    .option(
      '--secret <name/key=value>',
      'value of a Secret (key "secret" when left out), or @FILE that holds it; may be repeated',
      many,
    )
    .option('--max-parallel <n>', 'most tasks at once')
    .option('--pool <name=n>', 'slots of a pool (default 1); may be repeated', many)
    .option('--grace <duration>', 'time between TERM and KILL when a task is stopped', '10s')
    .addOption(
      new Option('--executor <kind>', 'what runs the tasks (default: $KONTROLER_EXECUTOR or auto)').choices([
        'auto',
        'docker',
        'podman',
        'process',
      ]),
    )
    .addOption(output('tree', 'lines', 'json', 'none'))
}

function run(program: Command): void {
  executing(program.command('run'))
    .description('run one DAG to its end')
    .argument('<file...>', 'files or directories with manifests; - for standard input')
    .option('-p, --parameter <name=value>', 'value of a parameter; may be repeated', many)
    .option('--dag <name>', 'which DAG, when the files hold several')
    .option('--name <name>', 'name of the run')
    .option('-l, --label <name=value>', 'label of the run; may be repeated', many)
    .option('-r, --recursive', 'directories below as well')
    .action(acts(async () => (await import('./commands/run.ts')).run))
}

function resume(program: Command): void {
  executing(program.command('resume'))
    .description('continue a paused run, or one whose engine was killed')
    .argument('<run>', 'name or id of a run, or @last')
    .action(acts(async () => (await import('./commands/resume.ts')).resume))
}

function dev(program: Command): void {
  executing(program.command('dev'))
    .description('a standing engine over a directory: schedules, DagRuns and interrupted runs')
    .argument('[dir]', 'directory with manifests', '.')
    .option('--port <n>', 'port of the API on 127.0.0.1 (default: 8080, or the next free one)')
    .option('--no-server', 'no API')
    .option('--accounts [file]', 'users who sign in at the API, beside the token; the file says more of them')
    .action(acts(async () => (await import('./commands/dev.ts')).dev))
}

function cancel(program: Command): void {
  program
    .command('cancel')
    .description('end runs: their tasks are stopped, the tasks under finally still run')
    .argument('<run...>', 'names or ids of runs')
    .option('--now', 'do not run the tasks under finally either')
    .option('--grace <duration>', 'time between TERM and KILL', '10s')
    .action(acts(async () => (await import('./commands/change.ts')).cancel))
}

function pause(program: Command): void {
  program
    .command('pause')
    .description('start nothing new in these runs')
    .argument('<run...>', 'names or ids of runs')
    .action(acts(async () => (await import('./commands/change.ts')).pause))
}

function approve(program: Command): void {
  program
    .command('approve')
    .description('answer an approval')
    .argument('<run>', 'name or id of a run, or @last')
    .argument('[task]', 'which approval; the only one that waits when left out')
    .option('-p, --parameter <name=value>', 'value of a field of its form; may be repeated', many)
    .option('--reject', 'say no')
    .option('-m, --message <text>', 'why')
    .action(acts(async () => (await import('./commands/change.ts')).approve))
}

function retry(program: Command): void {
  executing(program.command('retry'))
    .description('a new run that reuses what succeeded and runs the rest again')
    .argument('<run>', 'name or id of a finished run, or @last')
    .option('-p, --parameter <name=value>', 'another value of a parameter; everything runs again', many)
    .action(acts(async () => (await import('./commands/again.ts')).retry))
}

function fork(program: Command): void {
  executing(program.command('fork'))
    .description('a new run that starts from a task of a finished one')
    .argument('<run>', 'name or id of a finished run, or @last')
    .option(
      '--from <task>',
      'run this task and all that come after it; may be repeated; without it everything',
      many,
    )
    .option('-p, --parameter <name=value>', 'another value of a parameter', many)
    .option('--latest', 'use the newest version of the DAG, not that of the old run')
    .action(acts(async () => (await import('./commands/again.ts')).fork))
}

function completion(program: Command): void {
  program
    .command('completion')
    .description('a script that lets the shell complete commands, runs and tasks')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .action(acts(async () => (await import('./commands/completion.ts')).completion))
}
