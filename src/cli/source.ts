import type { RunState } from '../core/run/state.ts'
import type { ValueSource } from '../ports/secrets.ts'
import type { Store } from '../ports/store.ts'
import { readManifest } from './manifest.ts'
import { secretOptions, valueSource, valuesIn } from './values.ts'

/**
 * Where a run that goes on gets the values of its Secrets: from the command line, and from the file its DAG came
 * from, read again. Values were never stored, so there is no other place.
 */
export async function valuesOfRun(
  store: Store,
  state: RunState,
  texts: readonly string[],
): Promise<{ readonly values: ValueSource; readonly secrets: readonly string[] }> {
  const given = secretOptions(texts)
  const source = (await store.dagByHash(state.created.dagHash))?.source ?? null
  const empty = { secrets: new Map<string, string>(), configMaps: new Map<string, string>() }
  const manifest = source === null || source === '-' ? empty : await readManifest([source], null)
  return {
    values: valueSource(
      given,
      () => manifest.secrets,
      () => manifest.configMaps,
    ),
    secrets: [...valuesIn(given), ...valuesIn(manifest.secrets)],
  }
}
