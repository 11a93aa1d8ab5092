/**
 * `npm run cluster -- up|down|status|image [--mode api|full] [--state DIR] [--fake-node]`: a real Kubernetes for tests.
 * `image` makes the controller's image of this checkout, under the name that the chart asks for, and gives it to the node.
 */
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { type Cluster, type ClusterMode, defaultState, findCluster, startCluster } from './cluster.ts'
import { chartImage, controllerImage } from './controller-image.ts'
import { makeImage } from './images.ts'

const USAGE = 'usage: npm run cluster -- up|down|status|image [--mode api|full] [--state DIR] [--fake-node]'
const { positionals, values } = parsed()
const [verb = ''] = positionals
const say = (line: string): void => console.error(line)

if (values.mode !== 'api' && values.mode !== 'full') usage(`--mode is api or full, not ${values.mode}`)
// Only a node can be given an image.
const mode: ClusterMode = values.mode === 'full' || verb === 'image' ? 'full' : 'api'
const fakeNode = values['fake-node']
if (fakeNode && mode === 'full') usage('--fake-node is for --mode api')
const shared = mode === 'full' ? process.env['KONTROLER_CLUSTER_STATE'] : undefined
const state = values.state ?? shared ?? defaultState(mode)

try {
  if (verb === 'up') {
    const cluster = await startCluster({ mode, state, say, fakeNode })
    console.log(exportsOf(cluster))
  } else if (verb === 'down') {
    const cluster = await findCluster(state)
    if (cluster === null) say(`there is no cluster in ${state}`)
    await cluster?.stop()
  } else if (verb === 'status') await tell()
  else if (verb === 'image') await giveImage()
  else usage(verb === '' ? 'say what to do' : `there is no ${verb}`)
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}

/** For `eval`: the cluster, and its kubectl and helm where the machine's own need not be of its age. */
function exportsOf(cluster: Cluster): string {
  const programs = ['kubectl', 'helm']
    .map(name => dirname(cluster.program(name)))
    .filter(path => path !== '.')
  const path = programs.length === 0 ? '' : ` PATH=${programs.join(':')}:"$PATH"`
  return `export KUBECONFIG=${cluster.kubeconfig}${path}`
}

async function giveImage(): Promise<void> {
  const cluster = await findCluster(state)
  if (cluster === null) throw new Error(`there is no cluster in ${state}: npm run cluster -- up --mode full`)
  const image = controllerImage(chartImage())
  await makeImage(cluster, image)
  console.log(image.name)
}

async function tell(): Promise<void> {
  const cluster = await findCluster(state)
  if (cluster === null) {
    say(`there is no cluster in ${state}: npm run cluster -- up --mode ${mode}`)
    process.exitCode = 1
    return
  }
  for (const { part, pid } of cluster.status()) {
    const isHealthy = await cluster.isHealthy(part)
    if (!isHealthy) process.exitCode = 1
    const how = pid === null ? 'not running' : `pid ${pid}${isHealthy ? '' : ', does not answer'}`
    console.log(`${part.padEnd(20)} ${how.padEnd(30)} ${cluster.part(part).log}`)
  }
  for (const program of ['kubectl', 'helm']) console.log(`${program.padEnd(20)} ${cluster.program(program)}`)
  console.log(exportsOf(cluster))
}

function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        mode: { type: 'string', default: 'api' },
        state: { type: 'string' },
        'fake-node': { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
}

function usage(problem: string): never {
  console.error(`${problem}\n${USAGE}`)
  process.exit(2)
}
