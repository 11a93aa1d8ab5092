import { Command, CommanderError, Option } from 'commander'
import { StoreError } from '../ports/store.ts'
import { CommandError, EXIT } from './exit.ts'
import { type Environment, environment } from './settings.ts'
import { VERSION } from './version.ts'

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
    await buildProgram().parseAsync(argv, { from: 'user' })
  } catch (error) {
    process.exitCode = await report(error, argv)
  }
}

async function report(error: unknown, argv: readonly string[]): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage
  const known = error instanceof StoreError ? (await import('./local.ts')).storeTrouble(error) : error
  if (!(known instanceof CommandError)) throw error
  if (argv.includes('json')) {
    process.stderr.write(`${JSON.stringify({ code: known.code, message: known.message, fix: known.fix })}\n`)
  } else if (known.message !== '') {
    process.stderr.write(
      `error ${known.code}: ${known.message}\n${known.fix === '' ? '' : `  fix: ${known.fix}\n`}`,
    )
  }
  return known.exitCode
}

/** What every command gets from the global options. */
export function environmentOf(command: Command): Environment {
  const options = command.optsWithGlobals<{ state?: string; color: boolean }>()
  return environment(options.state, options.color)
}

/**
 * Wraps a command's work: its answer is the exit code. The commander hands over arguments, options and the command
 * untyped; each command's own signature says what it was declared with.
 */
function acts<Given extends unknown[]>(
  load: () => Promise<(environment: Environment, ...given: Given) => Promise<number>>,
) {
  return async (...all: unknown[]): Promise<void> => {
    const command = all.pop() as Command
    const work = await load()
    process.exitCode = await work(environmentOf(command), ...(all as Given))
  }
}

const many = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]
const output = (...formats: string[]): Option =>
  new Option('-o, --output <format>', 'output format').choices(formats)

/** The whole command line as data; the completion, the reference page and the tests read it too. */
export function buildProgram(): Command {
  const program = new Command('kontroler')
    .description('Runs DAGs of tasks: on this machine now, in Kubernetes unchanged.')
    .version(VERSION, '-V, --version')
    .option('--state <dir>', 'state directory (default: $KONTROLER_STATE or .kontroler)')
    .option('--no-color', 'no colour, as with NO_COLOR or a pipe')
    .showSuggestionAfterError()
    .showHelpAfterError('(see kontroler help)')
    .exitOverride()
  runCommands(program)
  readCommands(program)
  changeCommands(program)
  return program
}

function executing(command: Command): Command {
  return command
    .hook('preAction', () => {
      driving = true
    })
    .option(
      '--secret <name/key=value>',
      'value of a Secret (key "secret" when left out); may be repeated',
      many,
    )
    .option('--max-parallel <n>', 'most tasks at once')
    .option('--pool <name=n>', 'slots of a pool (default 1); may be repeated', many)
    .option('--grace <duration>', 'time between TERM and KILL when a task is stopped', '10s')
    .addOption(
      new Option('--executor <kind>', 'what runs the tasks').choices(['auto', 'process']).default('auto'),
    )
    .addOption(output('tree', 'lines', 'json', 'none'))
}

function runCommands(program: Command): void {
  executing(program.command('run'))
    .description('run one DAG to its end')
    .argument('<file...>', 'files or directories with manifests; - for standard input')
    .option('-p, --parameter <name=value>', 'value of a parameter; may be repeated', many)
    .option('--dag <name>', 'which DAG, when the files hold several')
    .option('--name <name>', 'name of the run')
    .option('-l, --label <name=value>', 'label of the run; may be repeated', many)
    .action(acts(async () => (await import('./commands/run.ts')).run))
  executing(program.command('resume'))
    .description('continue a paused run, or one whose engine was killed')
    .argument('<run>', 'name or id of a run, or @last')
    .action(acts(async () => (await import('./commands/resume.ts')).resume))
  executing(program.command('dev'))
    .description('a standing engine over a directory: schedules, DagRuns and interrupted runs')
    .argument('[dir]', 'directory with manifests', '.')
    .action(acts(async () => (await import('./commands/dev.ts')).dev))
}

function readCommands(program: Command): void {
  const schedule = program.command('schedule').description('what schedules will do')
  schedule
    .command('preview')
    .description('the coming ticks, as the scheduler itself will decide them')
    .argument('<file|dag...>', 'files with DAGs, or names of DAGs in the state directory')
    .option('--days <n>', 'how far to look', '30')
    .option('--from <time>', 'from when on (default: now)')
    .option('--limit <n>', 'most ticks of each DAG', '100')
    .addOption(output('text', 'json'))
    .action(acts(async () => (await import('./commands/schedule.ts')).schedulePreview))
}

function changeCommands(program: Command): void {
  program
    .command('cancel')
    .description('end runs: their tasks are stopped, the tasks under finally still run')
    .argument('<run...>', 'names or ids of runs')
    .option('--now', 'do not run the tasks under finally either')
    .option('--grace <duration>', 'time between TERM and KILL', '10s')
    .action(acts(async () => (await import('./commands/change.ts')).cancel))
  program
    .command('pause')
    .description('start nothing new in these runs')
    .argument('<run...>', 'names or ids of runs')
    .action(acts(async () => (await import('./commands/change.ts')).pause))
  program
    .command('approve')
    .description('answer an approval')
    .argument('<run>', 'name or id of a run, or @last')
    .argument('[task]', 'which approval; the only one that waits when left out')
    .option('-p, --parameter <name=value>', 'value of a field of its form; may be repeated', many)
    .option('--reject', 'say no')
    .option('-m, --message <text>', 'why')
    .action(acts(async () => (await import('./commands/change.ts')).approve))
  executing(program.command('retry'))
    .description('a new run that reuses what succeeded and runs the rest again')
    .argument('<run>', 'name or id of a finished run, or @last')
    .option('-p, --parameter <name=value>', 'another value of a parameter; everything runs again', many)
    .action(acts(async () => (await import('./commands/again.ts')).retry))
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
