/**
 * An engine for the tests to kill: starts the attempts it is given, and says `go` when it has asked for them.
 * `node executor-engine.ts STATE_DIR SPECS`
 */
import { createProcessExecutor } from '../../src/executors/process/executor.ts'
import type { AttemptSpec } from '../../src/ports/executor.ts'

const [stateDir = '', specs = '[]'] = process.argv.slice(2)
const executor = createProcessExecutor({ stateDir, observe: () => {} })
setInterval(() => {}, 1000)
process.stdout.write('go\n')
for (const spec of JSON.parse(specs) as AttemptSpec[]) executor.start(spec)
