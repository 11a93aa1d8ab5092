import { crdYaml } from './crd.ts'
import { fieldReference } from './fields.ts'
import { editorSchema } from './json-schema.ts'
import { KINDS } from './kinds.ts'
import { outlinesOf } from './outline-of.ts'

/** Every file that is made from the schema: its path from the root of the repository, and its text. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const kind of KINDS) {
    const schema = `${JSON.stringify(editorSchema(kind), null, 2)}\n`
    files.set(`docs/reference/schema/${kind.singular}.schema.json`, schema)
    files.set(`deploy/crds/${kind.plural}.yaml`, crdYaml(kind))
    // A chart can read nothing outside of its own folder.
    files.set(`deploy/chart/files/crds/${kind.plural}.yaml`, crdYaml(kind))
  }
  files.set('docs/reference/fields.md', fieldReference(KINDS))
  files.set('src/spec/outlines.json', outlinesText())
  return files
}

/** One part a line. */
function outlinesText(): string {
  const { parts, documents } = outlinesOf(KINDS)
  const lines = parts.map(part => `    ${JSON.stringify(part)}`)
  return `{\n  "documents": ${JSON.stringify(documents)},\n  "parts": [\n${lines.join(',\n')}\n  ]\n}\n`
}
