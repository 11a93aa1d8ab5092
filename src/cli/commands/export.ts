import type { StoredDag } from '../../ports/store.ts'
import { dagDocument } from '../../spec/dag-document.ts'
import { CommandError, EXIT } from '../exit.ts'
import { findRun, openLocal } from '../local.ts'
import { printData } from '../show/print.ts'
import type { Environment } from '../settings.ts'
import { wholeNumber } from '../values.ts'

export interface ExportOptions {
  readonly namespace: string
  readonly revision?: string
  readonly output?: 'json' | 'yaml'
}

/** `kontroler export RUN|DAG`: the DAG as a document; of a run the version it ran, of a DAG the current one. */
export async function exportDag(
  environment: Environment,
  text: string,
  options: ExportOptions,
): Promise<number> {
  const local = await openLocal(environment, false)
  try {
    const { namespace, revision } = options
    const number = revision === undefined ? undefined : wholeNumber('--revision', revision)
    let stored: StoredDag | null = await local.store.dag(namespace, text, number)
    if (stored === null && number === undefined) {
      const run = await findRun(local.store, text)
      stored = await local.store.dagByHash(run.dagHash)
    }
    if (stored === null) {
      const message = `there is no DAG ${text}${number === undefined ? '' : ` of version ${number}`}`
      throw new CommandError('UNKNOWN_DAG', message, 'see kontroler list dags')
    }
    printData(options.output ?? 'yaml', dagDocument(stored.dag))
    return EXIT.succeeded
  } finally {
    await local.close()
  }
}
