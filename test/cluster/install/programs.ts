import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { Kubernetes } from '../kubernetes.ts'

/** kubectl or helm as whoever installs Kontroler runs it, while this process goes on with its work. */
export type Program = (args: readonly string[], input?: string) => Promise<string>

/** @throws {Error} What it said, when it ends with another code than 0. */
export function programOf(cluster: Kubernetes, name: 'kubectl' | 'helm' | 'kontroler'): Program {
  const [program, ...before] =
    name === 'kontroler' ? [process.execPath, 'bin/kontroler.js'] : [cluster.program(name)]
  return async (args, input = '') => {
    const child = spawn(program ?? name, [...before, '--kubeconfig', cluster.kubeconfig, ...args])
    // Who fails early does not read what it is given.
    child.stdin.on('error', () => undefined).end(input)
    const [out, said] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    if (child.exitCode === 0) return out
    throw new Error(`${name} ${args.join(' ')} ended with ${child.exitCode}: ${said}${out}`)
  }
}

/** Several objects for `kubectl … -f -`. */
export const listOf = (...items: readonly object[]): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
