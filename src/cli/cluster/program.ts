import { Argument, Command, Option } from 'commander'
import { many, manyOf, output, starting } from '../declare.ts'
import { programName } from '../program-name.ts'
import { environment } from '../settings.ts'
import { VERSION } from '../../host/version.ts'
import { clusterWords } from './asked.ts'
import type { ClusterOptions, Session } from './session.ts'

/** Every command that works on a cluster, with how it is declared. */
const COMMANDS: Readonly<Record<string, (program: Command) => void>> = {
  submit,
  list,
  get,
  watch,
  logs,
  explain,
  plan,
  cancel,
  pause,
  resume,
  retry,
  fork,
}
const PHASES = ['pending', 'queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']

/** Commands that are about this machine, and what to do in a cluster instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  run: 'submit a DAG of the cluster, or leave out what names a cluster to run the tasks on this machine',
  dev: 'a cluster has a controller; leave out what names a cluster to run schedules on this machine',
  approve: 'approvals are answered through the API of the controller, which does not exist yet',
}

/** The command line of a cluster as data: the program, its help, the completion and the reference page read it. */
export function buildClusterProgram(argv: readonly string[] = []): Command {
  const program = new Command(programName())
    .description('Runs DAGs of tasks: here, those of a cluster, with your own rights there.')
    .version(VERSION, '-V, --version')
    .option('-n, --namespace <name>', "namespace (default: that of the kubeconfig's context)")
    .option('--context <name>', 'context of the kubeconfig (default: the current one)')
    .option(
      '--kubeconfig <file>',
      'kubeconfig (default: $KUBECONFIG, several files as for kubectl, or ~/.kube/config)',
    )
    .option('--as <user>', 'act as another user')
    .option('--as-group <group>', 'and as one of this group; may be repeated', many)
    .option('--no-color', 'no colour, as with NO_COLOR or a pipe')
    .showSuggestionAfterError()
    .configureOutput({ outputError: () => undefined })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
  const words = clusterWords(argv)
  for (const [name, declare] of Object.entries(COMMANDS)) {
    declare(program)
    given.set(program.commands.find(command => command.name() === name) ?? program, words)
  }
  for (const [name, fix] of Object.entries(ELSEWHERE)) elsewhere(program, name, fix)
  return program
}

/** The words that named the cluster, for commands that are shown. */
const given = new WeakMap<Command, readonly string[]>()

/** Opens the cluster, does the work, and tells what the cluster refused in the words of all errors. */
function acts<Given extends unknown[]>(
  load: () => Promise<(session: Session, ...given: Given) => Promise<number>>,
) {
  return async (...all: unknown[]): Promise<void> => {
    const command = all.pop() as Command
    const options = command.optsWithGlobals<ClusterOptions>()
    const { clusterTrouble } = await import('./trouble.ts')
    try {
      const [work, { openSession }] = await Promise.all([load(), import('./session.ts')])
      await using session = await openSession(options, environment(options), given.get(command) ?? [])
      process.exitCode = await work(session, ...(all as Given))
    } catch (error) {
      throw clusterTrouble(error)
    }
  }
}

function elsewhere(program: Command, name: string, fix: string): void {
  program
    .command(name, { hidden: true })
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async () => {
      const { CommandError } = await import('../exit.ts')
      throw new CommandError('NOT_FOR_CLUSTERS', `${name} is not for clusters`, fix)
    })
}

const RUN = 'name of a DagRun, id of its run, or @last'

function submit(program: Command): void {
  starting(program.command('submit'), 'DagRun')
    .description('start a run of a DAG of the cluster: makes a DagRun')
    .argument('[dag]', 'name of the DAG')
    .option('-f, --file <file>', 'file with a DagRun to start from; - for standard input', many)
    .action(acts(async () => (await import('./submit.ts')).submit))
}

function list(program: Command): void {
  program
    .command('list')
    .description('DagRuns, newest first; or DAGs')
    .addArgument(new Argument('[what]', 'what to list').choices(['runs', 'dags']).default('runs'))
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('--dag <name>', 'only of this DAG')
    .option('--phase <phase>', `only in this phase (${PHASES.join(', ')}); may be repeated`, manyOf(PHASES))
    .option('-l, --label <name=value>', 'only with this label; may be repeated', many)
    .option('--since <when>', 'only created since: 30m, 2h, 7d ago, or a date')
    .option('--limit <n>', 'most runs', '30')
    .option('--all', 'all of them')
    .addOption(output('json', 'yaml', 'wide', 'name'))
    .action(acts(async () => (await import('./list.ts')).list))
}

function get(program: Command): void {
  program
    .command('get')
    .description('everything that a DagRun tells, or about one of its tasks; or a DAG')
    .argument('<run>', `${RUN}; or dag/NAME`)
    .argument('[task]', 'name of a task; NAME[3] for an item of a fan-out')
    .addOption(output('json', 'yaml'))
    .action(acts(async () => (await import('./look.ts')).get))
}

function watch(program: Command): void {
  program
    .command('watch')
    .description('follow a run to its end')
    .argument('<run>', RUN)
    .addOption(output('tree', 'lines', 'json', 'none'))
    .action(acts(async () => (await import('./look.ts')).watch))
}

function logs(program: Command): void {
  program
    .command('logs')
    .description(
      'what tasks wrote, from their pods: of one task byte for byte, of several each line behind the name of its task',
    )
    .argument('<run>', RUN)
    .argument('[task]', 'as with --task')
    .option('-f, --follow', 'go on until the run (or the task) ends, with tasks that start later')
    .option('--task <task>', 'only this task; of a fan-out all items, or one as NAME[3]')
    .option('-c, --container <name>', "another container of the pods than the task's own, such as a sidecar")
    .option('--attempt <n>', 'this attempt instead of the last one')
    .option('--failed', 'only pods that failed')
    .option('--tail <n>', 'only the last lines of what each log holds now')
    .option('--since-start', 'all attempts of each task, not only the last')
    .action(acts(async () => (await import('./logs.ts')).logs))
}

function explain(program: Command): void {
  program
    .command('explain')
    .description(
      'why a run or a task waits, or why it ended so, and what to do next; or why a DAG is not in force',
    )
    .argument('<run>', `${RUN}; or dag/NAME`)
    .argument('[task]', 'name of a task; NAME[3] for an item of a fan-out')
    .addOption(output('json', 'yaml'))
    .action(acts(async () => (await import('./explain.ts')).explain))
}

function plan(program: Command): void {
  program
    .command('plan')
    .description('what applying files would change: tasks, edges, schedules, runs; nothing is changed')
    .argument('[file...]', 'files or directories with manifests; - for standard input')
    .option('-f, --file <file>', 'the same, as kubectl has it; may be repeated', many)
    .option('-r, --recursive', 'directories below as well')
    .option('--dag <name>', 'only this DAG')
    .option('--days <n>', 'how far to look at schedules', '7')
    .addOption(output('json', 'yaml'))
    .action(acts(async () => (await import('./plan.ts')).plan))
}

function cancel(program: Command): void {
  program
    .command('cancel')
    .description('end runs: their tasks are stopped, the tasks under finally still run')
    .argument('<run...>', RUN)
    .option('--no-wait', 'do not wait until they have ended')
    .action(acts(async () => (await import('./change.ts')).cancel))
}

function pause(program: Command): void {
  program
    .command('pause')
    .description('start nothing new in these runs')
    .argument('<run...>', RUN)
    .action(acts(async () => (await import('./change.ts')).pause))
}

function resume(program: Command): void {
  program
    .command('resume')
    .description('continue a paused run')
    .argument('<run>', RUN)
    .option('-w, --watch', 'show the run to its end, and end as it does')
    .addOption(output('tree', 'lines', 'json', 'none'))
    .action(acts(async () => (await import('./change.ts')).resume))
}

function retry(program: Command): void {
  starting(program.command('retry'), 'DagRun')
    .description('a new DagRun that reuses what succeeded and runs the rest again')
    .argument('<run>', `${RUN}; it has ended`)
    .action(acts(async () => (await import('./submit.ts')).retry))
}

function fork(program: Command): void {
  starting(program.command('fork'), 'DagRun')
    .description('a new DagRun that starts from a task of a finished one')
    .argument('<run>', `${RUN}; it has ended`)
    .addOption(new Option('--from <task>', 'run this task and all that come after it').makeOptionMandatory())
    .action(acts(async () => (await import('./submit.ts')).fork))
}
