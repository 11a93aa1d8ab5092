import { problemsAsJson, problemsAsSarif, problemsAsText } from '../../spec/report.ts'
import type { Store } from '../../ports/store.ts'
import { EXIT } from '../exit.ts'
import { type Local, isThere, openLocal } from '../local.ts'
import { type Manifest, PROBLEM_STYLES, readManifest } from '../manifest.ts'
import type { Environment } from '../settings.ts'
import { painter } from '../show/text.ts'
import { VERSION } from '../../host/version.ts'

export interface ValidateOptions {
  readonly output?: 'text' | 'json' | 'sarif'
  readonly strict?: boolean
  readonly recursive?: boolean
  readonly namespace?: string
}

/** `kontroler validate FILE…`: every problem of the files at once; nothing is run and nothing is kept. */
export async function validate(
  environment: Environment,
  files: readonly string[],
  options: ValidateOptions,
): Promise<number> {
  const manifest = await readWithState(environment, files, options)
  const { problems, inputs } = manifest
  const bad = problems.filter(({ severity }) => severity === 'error' || options.strict === true)
  switch (options.output ?? 'text') {
    case 'json':
      process.stdout.write(problemsAsJson(problems))
      break
    case 'sarif':
      process.stdout.write(problemsAsSarif(problems, VERSION))
      break
    case 'text': {
      const paint = painter(environment.color)
      process.stdout.write(
        problemsAsText(problems, { inputs, paint: (style, part) => paint(PROBLEM_STYLES[style], part) }),
      )
      process.stdout.write(`${summary(manifest, options.strict === true)}\n`)
    }
  }
  return bad.length > 0 ? EXIT.usage : EXIT.succeeded
}

/** DagTasks that a state directory knows count, as they do for `run`; without one the files stand alone. */
async function readWithState(
  environment: Environment,
  files: readonly string[],
  { recursive = false, namespace }: ValidateOptions,
): Promise<Manifest> {
  const options = { recursive, ...(namespace === undefined ? {} : { namespace }) }
  let local: Local | null = null
  const open = async (): Promise<Store | null> => {
    local = isThere(environment) ? await openLocal(environment, false) : null
    return local?.store ?? null
  }
  try {
    return await readManifest(files, open, options)
  } finally {
    await (local as Local | null)?.close()
  }
}

function summary({ problems, dags, dagRuns, dagTasks }: Manifest, strict: boolean): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length
  const warnings = problems.length - errors
  const documents = dags.length + dagRuns.length + dagTasks.length
  const found = [count(errors, 'error'), count(warnings, 'warning')].filter(text => text !== '').join(', ')
  if (errors > 0) return found
  const good = `${count(documents, 'document') || 'no documents'}`
  if (warnings === 0) return `${good}, no problems`
  return `${good}, ${found}${strict ? '; warnings are errors here' : ''}`
}

const count = (many: number, what: string): string =>
  many === 0 ? '' : `${many} ${what}${many === 1 ? '' : 's'}`
