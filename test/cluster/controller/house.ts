import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Client } from '../../../src/kubernetes/client.ts'
import { NAMESPACES } from '../../../src/kubernetes/resource.ts'
import { resourceOf } from '../../../src/operator/kubernetes-cluster.ts'
import type { DagRunStatus } from '../../../src/spec/schema/status.ts'
import type { Kubernetes } from '../kubernetes.ts'
import type { DagRunObject } from '../operator/house.ts'
import { eventually } from '../operator/house.ts'
import { clientOf } from '../shared.ts'

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))
let count = 0

/** The controller as a process on this machine, over a namespace of its own in a cluster. */
export class ControllerHouse {
  readonly cluster: Kubernetes
  readonly client: Client
  /** Also the name of the installation. */
  readonly namespace: string
  readonly folder: string
  #child: ChildProcess | null = null
  #starts = 0

  private constructor(cluster: Kubernetes, folder: string) {
    count += 1
    this.cluster = cluster
    this.client = clientOf(cluster)
    this.folder = folder
    this.namespace = `house-${process.pid}-${count}`
  }

  /** @param settings  Of the controller's file, besides those that follow from where it is. */
  static async make(cluster: Kubernetes, settings: object = {}): Promise<ControllerHouse> {
    const folder = await mkdtemp(join(tmpdir(), 'kontroler-controller-'))
    const house = new ControllerHouse(cluster, folder)
    await house.client.create(NAMESPACES, undefined, { metadata: { name: house.namespace } })
    const config = {
      installation: house.namespace,
      namespaces: [house.namespace],
      stateDir: house.stateDir,
      listen: '127.0.0.1:0',
      kube: { config: cluster.kubeconfig },
      ...settings,
    }
    writeFileSync(house.#config, JSON.stringify(config))
    return house
  }

  get stateDir(): string {
    return join(this.folder, 'state')
  }

  get #config(): string {
    return join(this.folder, 'config.json')
  }

  /** Its log, of every process so far. */
  get said(): string {
    return Array.from({ length: this.#starts }, (_, index) =>
      readFileSync(this.#log(index + 1), 'utf8'),
    ).join('')
  }

  #log(start: number): string {
    return join(this.folder, `log-${start}`)
  }

  /** Starts its process; resolves at once. */
  start(): void {
    this.#starts += 1
    const log = openSync(this.#log(this.#starts), 'a')
    this.#child = spawn(process.execPath, [MAIN, '--config', this.#config], { stdio: ['ignore', log, log] })
    closeSync(log)
  }

  /** Resolves when it says that it runs. */
  async runs(): Promise<void> {
    await eventually('the controller', async () => {
      if (this.#child?.exitCode !== null) throw new Error(`the controller ended:\n${this.said}`)
      return readFileSync(this.#log(this.#starts), 'utf8').includes('"the controller runs"') ? true : null
    })
  }

  /** Address of its health and metrics. */
  get url(): string {
    const line = readFileSync(this.#log(this.#starts), 'utf8').split('\n')[0] ?? ''
    const { listen } = JSON.parse(line) as {
      readonly listen: { readonly host: string; readonly port: number }
    }
    return `http://${listen.host}:${listen.port}`
  }

  /** Ends its process, if it runs. @returns How it ended. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
    const over = once(child, 'exit')
    child.kill(signal)
    await over
    return child.exitCode
  }

  async remove(): Promise<void> {
    await this.end('SIGKILL')
    await this.client.remove(NAMESPACES, { name: this.namespace })
    await this.client.close()
    await rm(this.folder, { recursive: true, force: true })
  }

  async apply(kind: 'DAG' | 'DagTask' | 'DagRun', name: string, spec: object): Promise<void> {
    await this.client.apply(
      resourceOf(kind),
      { namespace: this.namespace, name },
      {
        apiVersion: 'kontroler.greedykomodo/v1alpha1',
        kind,
        metadata: { name, namespace: this.namespace },
        spec,
      },
      { fieldManager: 'somebody' },
    )
  }

  async dagRun(name: string): Promise<DagRunObject> {
    return await this.client.get<DagRunObject>(resourceOf('DagRun'), { namespace: this.namespace, name })
  }

  async until(name: string, is: (status: DagRunStatus) => boolean, withinMs?: number): Promise<DagRunStatus> {
    let last: DagRunStatus | undefined
    const look = async (): Promise<DagRunStatus | null> => {
      last = (await this.dagRun(name)).status
      return last !== undefined && is(last) ? last : null
    }
    try {
      return await eventually(`DagRun ${name}`, look, withinMs)
    } catch (error) {
      throw new Error(`${String(error)}: ${JSON.stringify({ ...last, conditions: undefined })}`)
    }
  }
}

/** The kinds of the controller, where the cluster does not know them yet. */
export function knowKinds(cluster: Kubernetes): void {
  cluster.kubectl('apply', '--server-side', '--force-conflicts', '-f', 'deploy/crds')
  const names = ['dags', 'dagruns', 'dagtasks'].map(plural => `crd/${plural}.kontroler.greedykomodo`)
  cluster.kubectl('wait', '--for=condition=Established', ...names, '--timeout=30s')
}
