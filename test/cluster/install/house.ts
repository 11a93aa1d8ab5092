import { readFileSync } from 'node:fs'
import { after, before } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { loadAll } from 'js-yaml'
import { examples } from '../../examples.ts'
import { type Values, valueArgs } from '../../chart/helm.ts'
import { controllerImage } from '../controller-image.ts'
import { makeImage } from '../images.ts'
import type { Cluster } from '../cluster.ts'
import { fullCluster } from '../shared.ts'
import { type Program, programOf } from './programs.ts'
import { startProvisioner } from './provisioner.ts'

export const RELEASE = 'kontroler'
const CHART = 'deploy/chart'
const DEPLOYMENT = `deployment/${RELEASE}`

/** A namespace for a controller, some for the DAGs it looks after, and what somebody who installs it has at hand. */
export interface House {
  readonly kubectl: Program
  readonly helm: Program
  readonly kontroler: Program
  /** The namespace of the controller. It lets in restricted pods only. */
  readonly own: string
  readonly team: string
  readonly otherTeam: string
  /** Values besides: image and namespaces; CRDs only where nobody has installed any. */
  readonly values: Values
  /** Arguments of `helm install`, `upgrade` and `template` after their names. */
  readonly chart: (values: Values) => readonly string[]
  /** Names of the pods of the controller. */
  readonly pods: () => Promise<readonly string[]>
  readonly ready: () => Promise<void>
  /** Something that the controller serves, by way of its Service. */
  readonly asked: (path: string) => Promise<string>
}

/** The house of a suite. What it holds is made before its tests and goes after them. */
export function houseOf(name: string): () => House {
  let made: House | null = null
  let close: () => Promise<void> = async () => undefined
  before(async () => {
    const opened = await openHouse(`${name}-${process.pid}`)
    made = opened.house
    close = opened.close
  })
  after(async () => await close())
  return () => {
    if (made === null) throw new Error('the house is not there yet')
    return made
  }
}

async function openHouse(name: string): Promise<{ house: House; close: () => Promise<void> }> {
  // A given cluster has no door for images; these tests are left out there.
  const cluster = (await fullCluster()) as Cluster
  const [kubectl, helm] = [programOf(cluster, 'kubectl'), programOf(cluster, 'helm')]
  const kontroler = programOf(cluster, 'kontroler')
  const [own, team, otherTeam] = [`${name}-own`, `${name}-team`, `${name}-other`]
  const image = controllerImage()
  await makeImage(cluster, image)
  for (const namespace of [own, team, otherTeam]) {
    await kubectl(['create', 'namespace', namespace])
    const level = namespace === own ? 'restricted' : 'baseline'
    await kubectl(['label', 'namespace', namespace, `pod-security.kubernetes.io/enforce=${level}`])
  }
  const provisioner = startProvisioner(kubectl, [own, team, otherTeam])
  const [repository, tag] = image.name.split(/:(?=[^:]*$)/u)
  // Those that somebody else has installed are looked after by them, and helm takes nothing from others.
  const crds = await kubectl(['get', 'crd', '-o', 'name'])
  const values: Values = {
    'image.repository': repository,
    'image.tag': tag,
    namespaces: [team, otherTeam],
    'crds.install': !crds.includes('dags.kontroler.greedykomodo'),
  }
  const house: House = {
    kubectl,
    helm,
    kontroler,
    own,
    team,
    otherTeam,
    values,
    chart: more => [RELEASE, CHART, '--namespace', own, ...valueArgs({ ...values, ...more })],
    async pods() {
      const selector = `app.kubernetes.io/instance=${RELEASE}`
      const names = await kubectl(['get', 'pods', '-n', own, '-l', selector, '-o', 'name'])
      return names.split('\n').filter(Boolean)
    },
    async ready() {
      await kubectl(['rollout', 'status', DEPLOYMENT, '-n', own, '--timeout=60s'])
    },
    asked: path =>
      kubectl(['get', '--raw', `/api/v1/namespaces/${own}/services/${RELEASE}:http/proxy/${path}`]),
  }
  const close = async (): Promise<void> => {
    await helm(['uninstall', RELEASE, '-n', own, '--ignore-not-found'])
    await kubectl(['delete', 'namespace', own, team, otherTeam, '--ignore-not-found', '--timeout=120s'])
    await provisioner.close()
  }
  return { house, close }
}

/** An example, as it is started in a cluster. */
export interface ExampleRun {
  readonly dag: string
  readonly expect: 'succeeded' | 'failed'
  readonly parameters: readonly { readonly name: string; readonly value: string }[]
  /** It waits for a person. */
  readonly waits: boolean
}

/** What `kontroler run FILE` is told of each example, as a DagRun says it. */
export function exampleRuns(): readonly ExampleRun[] {
  return examples().map(({ file, expect, args, approvals }) => {
    const after = (flag: string): readonly string[] =>
      args.flatMap((word, index) => (word === flag ? [args[index + 1] ?? ''] : []))
    const documents = loadAll(readFileSync(file, 'utf8')) as { kind: string; metadata: { name: string } }[]
    const [only] = documents.filter(({ kind }) => kind === 'DAG')
    const parameters = after('-p').map(pair => {
      const [name = '', ...value] = pair.split('=')
      return { name, value: value.join('=') }
    })
    return {
      dag: after('--dag')[0] ?? only?.metadata.name ?? '',
      expect,
      parameters,
      waits: approvals.length > 0,
    }
  })
}

export const dag = (name: string, task: readonly object[]): object => ({
  apiVersion: 'kontroler.greedykomodo/v1alpha1',
  kind: 'DAG',
  metadata: { name },
  spec: { task },
})

export const dagRun = (name: string, dagName: string, parameters: readonly object[] = []): object => ({
  apiVersion: 'kontroler.greedykomodo/v1alpha1',
  kind: 'DagRun',
  metadata: { name },
  spec: { dagName, parameters },
})

/** Waits until it holds; the test's own time limit ends it otherwise. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(200)
}
