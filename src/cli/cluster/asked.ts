import { programName } from '../program-name.ts'

/** Options of the whole program that take a value. */
export const GLOBAL_VALUES: readonly string[] = [
  '--state',
  '--database',
  '--context',
  '--kubeconfig',
  '--namespace',
  '-n',
  '--as',
  '--as-group',
]
const CLUSTER = /^(?:--context|--kubeconfig|--namespace|--as|--as-group|-n)(?:=|$)|^-n[^-]/
const LOCAL = /^--(?:state|database)(?:=|$)/
/** Options whose value may be any text, such as `-n`. */
const FREE = new Set(['-m', '--message', '-p', '--parameter', '--secret', '-l', '--label', ...GLOBAL_VALUES])
/** What they read lies on this machine, wherever the rest is; `-n` means something of its own to them. */
const HERE = new Set(['validate', 'export', 'schedule', 'completion', 'help'])

/**
 * Whether a command line is about a cluster: it names one, or the program is kubectl's plugin, or it is `submit`, which
 * is about nothing else. `--state` and `--database` say that it is about this machine.
 */
export function asksForCluster(argv: readonly string[], isPlugin = isPluginProgram()): boolean {
  const words = withoutValues(argv)
  if (words.some(word => LOCAL.test(word))) return false
  const command = words.find(word => !word.startsWith('-'))
  if (command !== undefined && HERE.has(command)) return false
  return isPlugin || command === 'submit' || words.some(word => CLUSTER.test(word))
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
