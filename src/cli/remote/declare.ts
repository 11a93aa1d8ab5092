import type { Command } from 'commander'
import { acts, many, output, starting } from '../declare.ts'

/** Commands that are for servers, each with how it is declared. */
export const SERVER_COMMANDS: Readonly<Record<string, (program: Command) => void>> = {
  submit,
  apply,
  delete: deleting,
  login,
  logout,
  context,
}

function submit(program: Command): void {
  starting(program.command('submit'), 'run')
    .description('start a run of a DAG that a server (or a cluster) knows')
    .argument('[dag]', 'name of the DAG')
    .option('-f, --file <file>', 'file with a DagRun to start from; - for standard input', many)
    .option('-n, --namespace <name>', 'namespace of the DAG', 'default')
    .action(acts(async () => (await import('./start.ts')).submit))
}

function apply(program: Command): void {
  program
    .command('apply')
    .description('put the DAGs of files in force on a server')
    .argument('[file...]', 'files or directories with manifests; - for standard input')
    .option('-f, --file <file>', 'the same, as kubectl has it; may be repeated', many)
    .option('-r, --recursive', 'directories below as well')
    .option('-n, --namespace <name>', 'namespace of documents that name none', 'default')
    .option('--if-version <n>', 'only if this version is in force, from which the change was made')
    .option('--force', 'whatever is in force, also what is put there at the same time')
    .addOption(output('json', 'yaml', 'name'))
    .action(acts(async () => (await import('./dags.ts')).apply))
}

function deleting(program: Command): void {
  program
    .command('delete')
    .description('take DAGs of a server out of force; their runs and versions stay')
    .argument('<dag...>', 'names of DAGs, or NAMESPACE/NAME')
    .option('-n, --namespace <name>', 'namespace of the DAGs', 'default')
    .option('--if-version <n>', 'only if this version is in force')
    .action(acts(async () => (await import('./dags.ts')).deleteDags))
}

function login(program: Command): void {
  program
    .command('login')
    .description('keep a token for a server, and let commands be about it')
    .argument('<url>', 'address of the server')
    .option('--name <name>', 'name of its context (default: its host)')
    .option('--token-file <file>', 'file that holds the token; - for standard input; asked for when left out')
    .action(acts(async () => (await import('./login.ts')).login))
}

function logout(program: Command): void {
  program
    .command('logout')
    .description('forget the token of a server')
    .argument('[context]', 'which; the current one when left out')
    .action(acts(async () => (await import('./login.ts')).logout))
}

function context(program: Command): void {
  const all = program.command('context').description('the servers that commands may be about')
  all
    .command('list')
    .description('the servers that are known here')
    .addOption(output('json', 'yaml', 'name'))
    .action(acts(async () => (await import('./context.ts')).listContexts))
  all
    .command('use')
    .description('let commands be about a server; or about this machine again')
    .argument('<context>', 'name of a context; local for this machine')
    .action(acts(async () => (await import('./context.ts')).useContext))
  all
    .command('current')
    .description('the name of the current context')
    .action(acts(async () => (await import('./context.ts')).currentContext))
  all
    .command('remove')
    .description('forget a server, and its token')
    .argument('<context>', 'name of a context')
    .action(acts(async () => (await import('./context.ts')).removeContext))
}
