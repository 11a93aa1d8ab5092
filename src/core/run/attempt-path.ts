/**
 * Where the files of a run and of an attempt are kept, below the state directory. The names are made from ids only and
 * hold nothing but `a-z 0-9 - _ . ~ @ /`, so no id can lead out of its folder, and two ids never share one: not even
 * on a file system that takes `A` and `a` for the same.
 *
 * @example runPath('0198c7')                     → 'runs/0198c7'
 * @example attemptPath('0198c7', 'build[12]', 2) → 'runs/0198c7/build.12@2'
 */
export const attemptPath = (run: string, task: string, attempt: number): string =>
  `${runPath(run)}/${taskName(task)}@${attempt}`

/** Folder of everything a run keeps. */
export const runPath = (run: string): string => `runs/${safeName(run)}`

/**
 * Name of a log in its attempt's folder: `log`, or `log.NAME` for another container of the same pod.
 *
 * @example logName()           → 'log'
 * @example logName('istio-proxy') → 'log.istio-proxy'
 */
export const logName = (container?: string): string =>
  container === undefined ? 'log' : `log.${safeName(container)}`

/**
 * The log that is kept under this path below the state directory: what {@link attemptPath} and {@link logName} made,
 * taken back. Null for what is no log.
 *
 * @example logOfPath('runs/0198c7/build.12@2/log') → { run: '0198c7', task: 'build[12]', attempt: 2 }
 */
export function logOfPath(
  path: string,
): { run: string; task: string; attempt: number; container?: string } | null {
  const [, run = '', task = '', number = '', , container] = LOG_PATH.exec(path) ?? []
  if (run === '') return null
  const item = /^(.*)\.(\d+)$/su.exec(task)
  return {
    run: idOf(run),
    task: item === null ? idOf(task) : `${idOf(item[1] ?? '')}[${item[2] ?? ''}]`,
    attempt: Number(number),
    ...(container === undefined ? {} : { container: idOf(container) }),
  }
}

const NAME = '(?:[a-z0-9_-]+~\\/)*[a-z0-9_-]+'
const LOG_PATH = new RegExp(`^runs/(${NAME})/(${NAME}(?:\\.\\d+)?)@(\\d{1,9})/log(\\.(${NAME}))?$`, 'u')

/**
 * Where a log is kept in a store of objects, below what is the installation's. Safe in a URL as it stands, and all logs
 * of a run begin with {@link logKeyOfRun}.
 *
 * @example logKey('0198c7', 'build[12]', 2)            → '0198c7/build.12/2.log'
 * @example logKey('0198c7', 'build[12]', 2, 'git-sync') → '0198c7/build.12/2.git-sync.log'
 */
export const logKey = (run: string, task: string, attempt: number, container?: string): string =>
  `${logKeyOfAttempt(run, task, attempt)}${container === undefined ? '' : `${safeName(container)}.`}log`

/** What the keys of all logs of an attempt begin with. */
export const logKeyOfAttempt = (run: string, task: string, attempt: number): string =>
  `${logKeyOfRun(run)}${taskName(task)}/${attempt}.`

/** What the keys of all logs of a run begin with, and of no other run. */
export const logKeyOfRun = (run: string): string => `${safeName(run)}/`

/** Folder that all tasks of a run share when its DAG asks for a workspace. */
export const workspacePath = (run: string): string => `${runPath(run)}/workspace`

const ITEM = /^(.*)\[(\d+)\]$/su
/** Most file systems allow 255 bytes in one name. */
const NAME_LENGTH_MAX = 200

/** `name[12]` becomes `name.12`: readable, and the point stands nowhere else. */
function taskName(task: string): string {
  const item = ITEM.exec(task)
  return item === null ? safeName(task) : `${safeName(item[1] ?? '')}.${item[2] ?? ''}`
}

/** Every other character becomes `_` and four hex digits; what is too long for one name becomes nested folders. */
function safeName(id: string): string {
  let name = ''
  for (let index = 0; index < id.length; index += 1) {
    const unit = id[index] ?? ''
    name += /[a-z0-9-]/u.test(unit) ? unit : `_${id.charCodeAt(index).toString(16).padStart(4, '0')}`
  }
  if (name === '') return '_'
  const parts = name.match(new RegExp(`.{1,${NAME_LENGTH_MAX}}`, 'gu')) ?? []
  return parts.join('~/')
}

/** What `safeName` made, taken back. */
function idOf(name: string): string {
  if (name === '_') return ''
  return name
    .replaceAll('~/', '')
    .replace(/_([0-9a-f]{4})/gu, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}
