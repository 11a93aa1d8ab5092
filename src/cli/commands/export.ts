import { dagDocument } from '../../spec/dag-document.ts'
import { CommandError, EXIT } from '../exit.ts'
import { openRecords } from '../records.ts'
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
  await using records = await openRecords(environment)
  const { namespace, revision } = options
  const number = revision === undefined ? undefined : wholeNumber('--revision', revision)
  let found = await records.dag(namespace, text, number)
  if (found === null && number === undefined) found = await records.dagOf(await records.find(text))
  if (found === null) {
    const message = `there is no DAG ${text}${number === undefined ? '' : ` of version ${number}`}`
    throw new CommandError('UNKNOWN_DAG', message, 'see kontroler list dags')
  }
  printData(options.output ?? 'yaml', dagDocument(found.dag))
  return EXIT.succeeded
}
