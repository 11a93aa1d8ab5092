import { Argument, type Command } from 'commander'
import type { RunPhase } from '../core/run/rows.ts'
import { acts, many, manyOf, output } from './declare.ts'

const PHASES: readonly RunPhase[] = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']

/** Commands that look and change nothing, each with how it is declared. */
export const READ_COMMANDS: Readonly<Record<string, (program: Command) => void>> = {
  validate,
  plan,
  list,
  get,
  export: exporting,
  watch,
  logs,
  explain,
  schedule,
}

function list(program: Command): void {
  program
    .command('list')
    .description('runs, newest first; or the DAGs that are known')
    .addArgument(new Argument('[what]', 'what to list').choices(['runs', 'dags']).default('runs'))
    .option('--dag <name>', 'only of this DAG')
    .option('-n, --namespace <name>', 'only in this namespace')
    .option('--phase <phase>', `only in this phase (${PHASES.join(', ')}); may be repeated`, manyOf(PHASES))
    .option('-l, --label <name=value>', 'only with this label; may be repeated', many)
    .option('--since <when>', 'only created since: 30m, 2h, 7d ago, or a date')
    .option('--children', 'also runs that are tasks of other runs')
    .option('--limit <n>', 'most runs', '30')
    .option('--all', 'all of them')
    .addOption(output('json', 'yaml', 'wide', 'name'))
    .action(acts(async () => (await import('./commands/list.ts')).list))
}

function get(program: Command): void {
  program
    .command('get')
    .description('everything about one run, or about one of its tasks')
    .argument('<run>', 'name or id of a run, or @last')
    .argument('[task]', 'name of a task; NAME[3] for an item of a fan-out')
    .addOption(output('json', 'yaml', 'wide'))
    .action(acts(async () => (await import('./commands/get.ts')).get))
}

function exporting(program: Command): void {
  program
    .command('export')
    .description('a DAG as a document: of a run the version it ran, of a DAG the current one')
    .argument('<run|dag>', 'name of a DAG; or name or id of a run, or @last')
    .option('-n, --namespace <name>', 'namespace of the DAG', 'default')
    .option('--revision <n>', 'this version of the DAG')
    .addOption(output('yaml', 'json'))
    .action(acts(async () => (await import('./commands/export.ts')).exportDag))
}

function validate(program: Command): void {
  program
    .command('validate')
    .description('every problem of the files, with its place and what to do; nothing is run or kept')
    .argument('<file...>', 'files or directories with manifests; - for standard input')
    .option('-r, --recursive', 'directories below as well')
    .option('-n, --namespace <name>', 'namespace of documents that name none', 'default')
    .option('--strict', 'warnings are errors')
    .addOption(output('text', 'json', 'sarif'))
    .action(acts(async () => (await import('./commands/validate.ts')).validate))
}

function plan(program: Command): void {
  program
    .command('plan')
    .description(
      'what run (or apply) would do, and how the DAG differs from its last version; nothing is run or kept',
    )
    .argument('<file...>', 'files or directories with manifests; - for standard input')
    .option('-p, --parameter <name=value>', 'value of a parameter; may be repeated', many)
    .option('--dag <name>', 'which DAG, when the files hold several')
    .option('-r, --recursive', 'directories below as well')
    .addOption(output('json', 'yaml'))
    .action(acts(async () => (await import('./commands/plan.ts')).plan))
}

function explain(program: Command): void {
  program
    .command('explain')
    .description('why a run or a task waits, or why it ended so, and what to do next')
    .argument('<run>', 'name or id of a run, or @last')
    .argument('[task]', 'name of a task; NAME[3] for an item of a fan-out')
    .addOption(output('json', 'yaml'))
    .action(acts(async () => (await import('./commands/explain.ts')).explain))
}

function watch(program: Command): void {
  program
    .command('watch')
    .description('follow a run that another process drives, to its end')
    .argument('<run>', 'name or id of a run, or @last')
    .addOption(output('tree', 'lines', 'json', 'none'))
    .action(acts(async () => (await import('./commands/watch.ts')).watch))
}

function logs(program: Command): void {
  program
    .command('logs')
    .description(
      'what tasks wrote: of one task byte for byte, of several each line behind the name of its task',
    )
    .argument('<run>', 'name or id of a run, or @last')
    .argument('[task]', 'as with --task')
    .option('-f, --follow', 'go on until the run (or the task) ends, with tasks that start later')
    .option('--task <task>', 'only this task; of a fan-out all items, or one as NAME[3]')
    .option('--attempt <n>', 'this attempt instead of the last one')
    .option('--failed', 'only tasks that failed')
    .option('--tail <n>', 'only the last lines of what each log holds now')
    .option('--since-start', 'all attempts of each task, not only the last')
    .action(acts(async () => (await import('./commands/logs.ts')).logs))
}

function schedule(program: Command): void {
  const all = program.command('schedule').description('what schedules will do, and what they did not')
  all
    .command('preview')
    .description('the coming ticks, as the scheduler itself will decide them')
    .argument('<file|dag...>', 'files with DAGs, or names of DAGs in the state directory')
    .option('--days <n>', 'how far to look', '30')
    .option('--from <time>', 'from when on (default: now)')
    .option('--limit <n>', 'most ticks of each DAG', '100')
    .addOption(output('text', 'json'))
    .action(acts(async () => (await import('./commands/schedule.ts')).schedulePreview))
  all
    .command('history')
    .description('ticks that did not become runs, and why, newest first')
    .argument('<dag>', 'name of a DAG, or NAMESPACE/NAME')
    .option('--limit <n>', 'most spans of ticks', '50')
    .addOption(output('json', 'yaml'))
    .action(acts(async () => (await import('./commands/schedule.ts')).scheduleHistory))
}
