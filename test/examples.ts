import { globSync, readFileSync } from 'node:fs'

/**
 * What the comments of an example say of it: `# expect: succeeded|failed`, `# with: …` extra arguments of the command,
 * `# approve: TASK …` an answer from another terminal while it waits.
 */
export interface Example {
  readonly file: string
  readonly expect: 'succeeded' | 'failed'
  readonly args: readonly string[]
  readonly approvals: readonly (readonly string[])[]
}

export const examples = (): readonly Example[] => globSync('examples/*.yaml').toSorted().map(exampleOf)

function exampleOf(file: string): Example {
  const lines = readFileSync(file, 'utf8').split('\n')
  const says = (name: string): readonly string[] =>
    lines.filter(line => line.startsWith(`# ${name}: `)).map(line => line.slice(name.length + 4).trim())
  const [expect] = says('expect')
  if (expect !== 'succeeded' && expect !== 'failed')
    throw new Error(`${file} says "# expect: succeeded|failed"`)
  return { file, expect, args: says('with').flatMap(words), approvals: says('approve').map(words) }
}

const words = (text: string): readonly string[] => text.split(/\s+/)
