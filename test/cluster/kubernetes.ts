import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { kubectlPrograms } from './programs.ts'

/** A cluster that a kubeconfig leads to, whoever it belongs to. */
export class Kubernetes {
  readonly kubeconfig: string
  readonly #programs: readonly string[]

  /** @param programs  Folders where kubectl and helm are looked for first. */
  constructor(kubeconfig: string, programs: readonly string[]) {
    this.kubeconfig = kubeconfig
    this.#programs = programs
  }

  /** Address of the API server. */
  get server(): string {
    return this.kubectl('config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}')
  }

  /**
   * Runs kubectl as the kubeconfig's current user and gives what it prints. Nothing else of this process goes on
   * meanwhile, a fake node neither.
   */
  kubectl(...args: readonly string[]): string {
    return this.#run('kubectl', args)
  }

  /** `kubectl apply` of objects. */
  apply(...objects: readonly object[]): string {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
    return this.#run('kubectl', ['apply', '-f', '-'], list)
  }

  helm(...args: readonly string[]): string {
    return this.#run('helm', args)
  }

  /** Path of a program, as far as it is one of ours. */
  program(name: string): string {
    return this.#programs.map(folder => join(folder, name)).find(path => existsSync(path)) ?? name
  }

  #run(name: 'kubectl' | 'helm', args: readonly string[], input = ''): string {
    return execFileSync(this.program(name), ['--kubeconfig', this.kubeconfig, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  }
}

/** Somebody else's cluster. */
export const givenKubernetes = async (kubeconfig: string): Promise<Kubernetes> =>
  new Kubernetes(kubeconfig, await kubectlPrograms())
