import { programName } from '../program-name.ts'
import { hasServer } from '../remote/target.ts'

/** Options of the whole program that take a value. */
export const GLOBAL_VALUES: readonly string[] = [
  '--state',
  '--database',
  '--server',
  '--ca-file',
  '--context',
  '--kubeconfig',
  '--namespace',
  '-n',
  '--as',
  '--as-group',
]
const CLUSTER = /^(?:--context|--kubeconfig|--namespace|--as|--as-group|-n)(?:=|$)|^-n[^-]/
/** What nothing but a cluster has. */
const ONLY_CLUSTER = /^(?:--context|--kubeconfig|--as|--as-group)(?:=|$)/
const ELSEWHERE = /^--(?:state|database|server)(?:=|$)/
/** Options whose value may be any text, such as `-n`. */
const FREE = new Set(['-m', '--message', '-p', '--parameter', '--secret', '-l', '--label', ...GLOBAL_VALUES])
/** What they read lies on this machine, wherever the rest is; `-n` means something of its own to them. */
const HERE = new Set(['validate', 'export', 'schedule', 'completion', 'help'])
/** What is for servers, and for nothing else. */
const FOR_SERVERS = new Set(['apply', 'delete', 'login', 'logout', 'context'])

/**
 * Whether a command line is about a cluster: it names one, or the program is kubectl's plugin, or it is `submit`, which
 * is about nothing else. `--state` and `--database` say that it is about this machine, `--server` that it is about a
 * server. Where the environment or a context names a server, `-n` is a namespace of that, and `submit` goes there.
 *
 * @param server  Whether it does; asked only where it matters.
 */
export function asksForCluster(
  argv: readonly string[],
  isPlugin = isPluginProgram(),
  server: () => boolean = hasServer,
): boolean {
  const words = withoutValues(argv)
  if (words.some(word => ELSEWHERE.test(word))) return false
  const command = words.find(word => !word.startsWith('-'))
  if (command !== undefined && (HERE.has(command) || FOR_SERVERS.has(command))) return false
  if (isPlugin || words.some(word => ONLY_CLUSTER.test(word))) return true
  return (command === 'submit' || words.some(word => CLUSTER.test(word))) && !server()
}

export const isPluginProgram = (): boolean => programName() !== 'kontroler'

/** Up to `--`, options and arguments without the texts that options take. */
function withoutValues(argv: readonly string[]): readonly string[] {
  const words: string[] = []
  for (let at = 0; at < argv.length && argv[at] !== '--'; at += 1) {
    const word = argv[at] ?? ''
    words.push(word)
    if (FREE.has(word)) at += 1
  }
  return words
}

/** The words of a command line that say which cluster, as they were given. */
export function clusterWords(argv: readonly string[]): readonly string[] {
  const words: string[] = []
  for (let at = 0; at < argv.length && argv[at] !== '--'; at += 1) {
    const word = argv[at] ?? ''
    const takesNext = FREE.has(word)
    if (CLUSTER.test(word)) words.push(word, ...(takesNext ? [argv[at + 1] ?? ''] : []))
    if (takesNext) at += 1
  }
  return words
}
