import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Environment, environment, type GlobalOptions } from './settings.ts'

/** What every command gets from the global options. */
export function environmentOf(command: Command): Environment {
  const { output: format } = command.opts<{ readonly output?: string }>()
  return environment(globalOptions(command), format)
}

/** Those of the whole program: `--no-server` of `dev` is another thing than `--server`. */
export function globalOptions(command: Command): GlobalOptions {
  return command.parent === null ? command.opts<GlobalOptions>() : globalOptions(command.parent)
}

/**
 * Wraps a command's work: its answer is the exit code. The commander hands over arguments, options and the command
 * untyped; each command's own signature says what it was declared with.
 */
export function acts<Given extends unknown[]>(
  load: () => Promise<(environment: Environment, ...given: Given) => Promise<number>>,
) {
  return async (...all: unknown[]): Promise<void> => {
    const command = all.pop() as Command
    const work = await load()
    process.exitCode = await work(environmentOf(command), ...(all as Given))
  }
}

/** Collects an option that may be repeated. */
export const many = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** The same for one of a few words; several may stand in one value with commas between them. */
export const manyOf =
  (words: readonly string[]) =>
  (value: string, before: readonly string[] = []): readonly string[] => {
    const given = value.split(',')
    const wrong = given.find(word => !words.includes(word))
    if (wrong !== undefined) throw new InvalidArgumentError(`Use: ${words.join(', ')}.`)
    return [...before, ...given]
  }

export const output = (...formats: string[]): Option =>
  new Option('-o, --output <format>', 'output format').choices(formats)

/** Options of commands that start a run elsewhere: of a cluster, or of a server. */
export function starting(command: Command, what: 'DagRun' | 'run'): Command {
  return command
    .option('-p, --parameter <name=value>', 'value of a parameter; may be repeated', many)
    .option(
      '--from-secret <name=secret/key>',
      'parameter whose value is in a Secret of the namespace (key "secret" when left out); may be repeated',
      many,
    )
    .option('--name <name>', `name of the ${what}`)
    .option('-l, --label <name=value>', `label of the ${what}; may be repeated`, many)
    .option('-w, --watch', 'show the run to its end, and end as it does')
    .option('--wait', 'wait for its end without showing it, and end as it does')
    .addOption(output('tree', 'lines', 'json', 'name', 'none'))
}
