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
}

function following(program: Command): void {
  program
    .command('watch')
    .description('follow a run that another process drives, to its end')
    .argument('<run>', 'name or id of a run, or @last')
    .addOption(output('tree', 'lines', 'json', 'none'))
    .action(acts(async () => (await import('./commands/watch.ts')).watch))
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
