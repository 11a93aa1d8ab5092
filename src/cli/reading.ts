import { Argument, type Command } from 'commander'
import type { RunPhase } from '../core/run/rows.ts'
import { acts, many, manyOf, output } from './declare.ts'

const PHASES: readonly RunPhase[] = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']

/** Commands that look and change nothing. */
export function readCommands(program: Command): void {
  lists(program)
  following(program)
  scheduleCommands(program)
}

function lists(program: Command): void {
  program
    .command('list')
    .description('runs, newest first; or the DAGs that the state directory knows')
    .addArgument(new Argument('[what]', 'what to list').choices(['runs', 'dags']).default('runs'))
    .option('--dag <name>', 'only of this DAG')
    .option('-n, --namespace <name>', 'only in this namespace')
    .option('--phase <phase>', `only in this phase (${PHASES.join(', ')}); may be repeated`, manyOf(PHASES))
    .option('-l, --label <name=value>', 'only with this label; may be repeated', many)
    .option('--since <when>', 'only created since: 30m, 2h, 7d ago, or a date')
    .option('--limit <n>', 'most runs', '30')
    .option('--all', 'all of them')
    .addOption(output('json', 'yaml', 'wide', 'name'))
    .action(acts(async () => (await import('./commands/list.ts')).list))
  program
    .command('get')
    .description('everything about one run, or about one of its tasks')
    .argument('<run>', 'name or id of a run, or @last')
    .argument('[task]', 'name of a task; NAME[3] for an item of a fan-out')
    .addOption(output('json', 'yaml', 'wide'))
    .action(acts(async () => (await import('./commands/get.ts')).get))
}

function following(program: Command): void {
  program
    .command('watch')
    .description('follow a run that another process drives, to its end')
    .argument('<run>', 'name or id of a run, or @last')
    .addOption(output('tree', 'lines', 'json', 'none'))
    .action(acts(async () => (await import('./commands/watch.ts')).watch))
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

function scheduleCommands(program: Command): void {
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
