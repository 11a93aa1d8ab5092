/**
 * The process executor alone, in a process of a given size: `node spawn-engine.ts STATE COUNT PARALLEL MEGABYTES`
 * starts COUNT attempts of `/bin/true`, PARALLEL at once, and prints the milliseconds from the first to the last end.
 */
import type { ContainerWork } from '../../src/core/dag/dag.ts'
import { createProcessExecutor } from '../../src/executors/process/executor.ts'
import type { AttemptSpec, Observation } from '../../src/ports/executor.ts'

const [state = '', count = '', parallel = '', megabytes = ''] = process.argv.slice(2)
// Written to, so that the pages are there and a fork has to copy their table.
const ballast = Array.from({ length: Number(megabytes) / 16 }, () => Buffer.alloc(16 * 1024 * 1024, 1))

let started = 0
let ended = 0
const over = Promise.withResolvers<void>()
const executor = createProcessExecutor({ stateDir: state, observe })

const start = performance.now()
while (started < Number(parallel)) next()
await over.promise
const ms = performance.now() - start
await executor.close()
if (ballast.some(part => part[0] !== 1)) throw new Error('the ballast must live until here')
console.log(ms)

function next(): void {
  started += 1
  executor.start(spec(started))
}

function observe({ kind }: Observation): void {
  if (kind !== 'ended') return
  ended += 1
  if (started < Number(count)) next()
  if (ended === Number(count)) over.resolve()
}

function spec(number: number): AttemptSpec {
  const work: ContainerWork = {
    kind: 'container',
    image: null,
    command: ['/bin/true'],
    args: [],
    script: null,
    scriptInjectorImage: null,
    env: [],
    resources: {},
    podTemplate: null,
  }
  return {
    namespace: 'default',
    dag: 'bench',
    runName: 'bench',
    env: [],
    secretNames: [],
    references: [],
    outputs: [],
    pod: { workspaceClaim: null, startGuarantee: 'fence', evidence: 'watch', security: 'hardened' },
    run: 'bench',
    task: `t${number}`,
    attempt: 1,
    work,
    workspace: false,
    workdir: null,
  }
}
