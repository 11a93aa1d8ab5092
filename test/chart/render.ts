/** Part of `npm run generate`: the bundle for kubectl, made from the chart, and the chart's copies. */
import { writeFileSync } from 'node:fs'
import { chartFiles } from './bundle.ts'
import { helm } from './helm.ts'

const run = await helm()
if (typeof run === 'string') console.error(`deploy/kontroler.yaml was not made anew: ${run}`)
else
  for (const [path, text] of chartFiles(run)) {
    writeFileSync(path, text)
    console.log(path)
  }
