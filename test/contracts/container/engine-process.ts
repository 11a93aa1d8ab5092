/**
 * An engine for the tests to kill: starts the attempts it is given, and says `go` when it has asked for them.
 * `node engine-process.ts SOCKET STATE_DIR SPECS`
 */
import { connect } from '../../../src/executors/container/container-engine.ts'
import { createContainerExecutor } from '../../../src/executors/container/executor.ts'
import type { AttemptSpec } from '../../../src/ports/executor.ts'
import { me, probe } from './place.ts'

const [socket = '', stateDir = '', specs = '[]'] = process.argv.slice(2)
const engine = await connect(socket)
const executor = createContainerExecutor({
  stateDir,
  engine,
  observe: () => {},
  me: me(),
  probe,
  network: 'none',
})
setInterval(() => {}, 1000)
process.stdout.write('go\n')
for (const spec of JSON.parse(specs) as AttemptSpec[]) executor.start(spec)
