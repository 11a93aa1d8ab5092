import { readFileSync } from 'node:fs'

/** A limit of the system on the processes of a container. */
export interface Limit {
  readonly Name: string
  readonly Soft: number
  readonly Hard: number
}

const NAMES: readonly (readonly [line: string, name: string])[] = [
  ['Max open files', 'nofile'],
  ['Max processes', 'nproc'],
]

/**
 * The limits that this very process has. Podman starts containers as a child of its user, who may not have more than
 * this and whose engine asks for more all the same; what the engine has itself can always be given.
 *
 * @returns Nothing where there is no `/proc`.
 */
export function ownLimits(): readonly Limit[] {
  let text: string
  try {
    text = readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return []
  }
  return NAMES.flatMap(([line, name]) => {
    const found = new RegExp(`^${line} +(\\S+) +(\\S+)`, 'mu').exec(text)
    const soft = Number(found?.[1])
    const hard = Number(found?.[2])
    // "unlimited" needs no word.
    if (!Number.isInteger(soft) || !Number.isInteger(hard)) return []
    return [{ Name: name, Soft: Math.min(soft, most(name)), Hard: Math.min(hard, most(name)) }]
  })
}

/** Podman holds itself to as many processes as there can be pids. */
function most(name: string): number {
  if (name !== 'nproc') return Number.POSITIVE_INFINITY
  try {
    return Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'))
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
