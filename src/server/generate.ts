/** Part of `npm run generate`: what is made from the table of routes. A test holds the committed files to it. */
import { writeFileSync } from 'node:fs'
import { generatedFiles } from './generated.ts'

for (const [path, text] of generatedFiles()) {
  writeFileSync(path, text)
  console.log(path)
}
