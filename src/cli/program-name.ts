import { basename } from 'node:path'

/** As kubectl's plugin the program is called by two words; help and completion say them. */
export function programName(): string {
  return basename(process.argv[1] ?? '').startsWith('kubectl-') ? 'kubectl kontroler' : 'kontroler'
}
