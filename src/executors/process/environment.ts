/**
 * What a task sees of the engine's own environment; nothing else of it leaks. With these, ordinary programs find their
 * tools, files and language. Everything more is the task's own `env`.
 */
export const PASSED_ON: readonly string[] = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LANGUAGE',
  'LC_ALL',
  'LC_CTYPE',
  'TMPDIR',
  'TZ',
]

/** Where commands are looked for when neither the task nor the engine has a PATH. */
const PATH_DEFAULT = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Names that some shell keeps for itself: it would change or drop them on the way to the task. They travel under
 * other names and are put in place by `env`, just before the task begins.
 */
const SHELLS_OWN: ReadonlySet<string> = new Set(
  (
    '_ IFS PPID PWD OLDPWD SHLVL PS0 PS1 PS2 PS3 PS4 OPTIND OPTARG OPTERR LINENO UID EUID ' +
    'GROUPS SHELLOPTS RANDOM SRANDOM SECONDS EPOCHSECONDS EPOCHREALTIME HISTCMD HOSTNAME ' +
    'HOSTTYPE MACHTYPE OSTYPE DIRSTACK FUNCNAME PIPESTATUS REPLY COLUMNS LINES ENV ' +
    'POSIXLY_CORRECT'
  ).split(' '),
)
const SHELLS_OWN_FORM = /^(BASH\w*|KONTROLER_ENV_\d+|kontroler_\w+)$/u

export interface TaskEnvironment {
  /** What the launcher is started with. */
  readonly variables: Readonly<Record<string, string>>
  /** How many of them are `KONTROLER_ENV_n`, each holding `NAME=value`. */
  readonly oddCount: number
  /** A sentence about a variable that cannot be passed on; null when all can. */
  readonly problem: string | null
  readonly path: string
}

/** What of the engine's environment a task begins with. */
export function inherited(engine: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap(name => {
      const value = engine[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

/** The environment of a task: a few variables of the engine, then the task's own, then ours. The last one wins. */
export function taskEnvironment(
  engine: Readonly<Record<string, string | undefined>>,
  own: readonly { readonly name: string; readonly value: string }[],
  secretNames: readonly string[],
  ours: Readonly<Record<string, string>>,
): TaskEnvironment {
  const all = new Map<string, string>([['PATH', PATH_DEFAULT], ...Object.entries(inherited(engine))])
  for (const { name, value } of own) all.set(name, value)
  for (const [name, value] of Object.entries(ours)) all.set(name, value)

  const variables: [string, string][] = []
  let oddCount = 0
  let problem: string | null = null
  for (const [name, value] of all) {
    problem ??= whyNotPassedOn(name, value, secretNames)
    if (isPlain(name)) {
      variables.push([name, value])
      continue
    }
    oddCount += 1
    variables.push([`KONTROLER_ENV_${oddCount}`, `${name}=${value}`])
  }
  return { variables: Object.fromEntries(variables), oddCount, problem, path: all.get('PATH') ?? '' }
}

const isPlain = (name: string): boolean =>
  /^[A-Za-z_][A-Za-z0-9_]*$/u.test(name) && !SHELLS_OWN.has(name) && !SHELLS_OWN_FORM.test(name)

function whyNotPassedOn(name: string, value: string, secretNames: readonly string[]): string | null {
  if (name === '' || /[=\0]/u.test(name)) return `${JSON.stringify(name)} cannot be the name of a variable`
  if (value.includes('\0')) return `the variable ${name} holds a NUL character`
  // `env` would carry it, but for a moment in its arguments, which anybody may read.
  if (!isPlain(name) && secretNames.includes(name))
    return `a secret cannot be handed over as ${JSON.stringify(name)}: shells keep or do not know that name`
  return null
}
