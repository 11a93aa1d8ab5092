import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parse, stringify } from 'yaml'
import type { AttemptSpec, PodSettings } from '../../src/ports/executor.ts'
import { attempt, type TaskShape } from '../contracts/executor-harness.ts'

/** One file of `test/pods`: an attempt, written by hand, and the pod that is made of it. */
export interface Golden {
  readonly name: string
  readonly file: string
  readonly spec: AttemptSpec
  /** The first document, as it was written. */
  readonly given: string
  /** The second document. */
  readonly pod: unknown
}

interface Written extends Omit<TaskShape, 'pod'> {
  readonly pod?: Partial<PodSettings>
}

const SEPARATOR = '\n---\n'
const PLACE = { workdir: '/', image: 'busybox:1.36' }
const POD: PodSettings = {
  workspaceClaim: null,
  startGuarantee: 'fence',
  evidence: 'watch',
  security: 'hardened',
}

export const SURROUNDINGS = { installation: 'main', fence: '7', stopGraceSeconds: 10 }

export const goldens = (): readonly Golden[] => globSync('test/pods/*.yaml').toSorted().map(read)

/** What a file of this name ought to hold. */
export const written = (given: string, pod: unknown): string =>
  `${given}${SEPARATOR}${stringify(pod, { lineWidth: 0, aliasDuplicateObjects: false })}`

function read(file: string): Golden {
  const [given = '', made = ''] = readFileSync(file, 'utf8').trimEnd().split(SEPARATOR)
  const name = basename(file, '.yaml')
  const { pod, ...shape } = parse(given) as Written
  const who = { run: '0199a2b4-7c1d-7000-8000-0123456789ab', task: 'build', runName: 'nightly-x7k2q' }
  const spec = attempt(PLACE, { ...who, dag: 'nightly', ...shape, pod: { ...POD, ...pod } })
  return { name, file, spec, given: given.trimEnd(), pod: parse(made) as unknown }
}
