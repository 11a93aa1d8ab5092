import { dirname } from 'node:path'
import type { RunState } from '../core/run/state.ts'
import type { ValueSource } from '../ports/secrets.ts'
import type { Store } from '../ports/store.ts'
import { readManifest } from './manifest.ts'
import { secretOptions, valueSource, valuesIn } from './values.ts'

/**
 * Where a run that goes on gets the values of its Secrets: from the command line, from the file its DAG came from,
 * read again, and from the files beside that. Values were never stored, so there is no other place.
 */
export async function valuesOfRun(
  store: Store,
  state: RunState,
  texts: readonly string[],
): Promise<{ readonly values: ValueSource; readonly secrets: readonly string[] }> {
  const given = secretOptions(texts)
  const source = (await store.dagByHash(state.created.dagHash))?.source ?? null
  const places = source === null || source === '-' ? [] : [dirname(source), source]
  const manifests = await Promise.all(places.map(place => readManifest([place], null)))
  // The file itself stands last, so that its own values win over those beside it.
  const secrets = new Map(manifests.flatMap(manifest => [...manifest.secrets]))
  const configMaps = new Map(manifests.flatMap(manifest => [...manifest.configMaps]))
  return {
    values: valueSource(
      given,
      () => secrets,
      () => configMaps,
    ),
    secrets: [...valuesIn(given), ...secrets.values()],
  }
}
