/** `npm run cluster -- up|down|status [--mode api|full] [--state DIR]`: a real Kubernetes for tests. */
import { parseArgs } from 'node:util'
import { type ClusterMode, defaultState, findCluster, startCluster } from './cluster.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { mode: { type: 'string', default: 'api' }, state: { type: 'string' } },
})
const [verb = ''] = positionals
const say = (line: string): void => console.error(line)

if (values.mode !== 'api' && values.mode !== 'full') usage(`--mode is api or full, not ${values.mode}`)
const mode: ClusterMode = values.mode === 'full' ? 'full' : 'api'
const state = values.state ?? defaultState(mode)

if (verb === 'up') {
  const cluster = await startCluster({ mode, state, say })
  console.log(`export KUBECONFIG=${cluster.kubeconfig}`)
} else if (verb === 'down') {
  await (await findCluster(state))?.stop()
} else if (verb === 'status') {
  const cluster = await findCluster(state)
  if (cluster === null) say(`there is no cluster in ${state}: npm run cluster -- up --mode ${mode}`)
  for (const { part, pid } of cluster?.status() ?? [])
    console.log(`${part.padEnd(20)} ${pid === null ? 'not running' : `pid ${pid}`}`)
  if (cluster !== null) console.log(`export KUBECONFIG=${cluster.kubeconfig}`)
  if (cluster === null || cluster.status().some(({ pid }) => pid === null)) process.exitCode = 1
} else usage(verb === '' ? 'say what to do' : `there is no ${verb}`)

function usage(problem: string): never {
  console.error(`${problem}\nusage: npm run cluster -- up|down|status [--mode api|full] [--state DIR]`)
  process.exit(2)
}
