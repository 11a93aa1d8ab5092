import type { ContainerWork } from '../../core/dag/dag.ts'
import { readTemplate } from './pod-template.ts'

/** What a container of Docker or Podman cannot honour of a task that was written for a pod, in sentences for people. */
export function ignoredOf(work: ContainerWork): readonly string[] {
  const ignored: string[] = []
  if (work.scriptInjectorImage !== null)
    ignored.push('scriptInjectorImage is ignored: the script is mounted from this machine')
  ignored.push(...readTemplate(work).ignored)
  for (const variable of work.env) {
    if (variable.kind === 'pod') ignored.push(`env ${variable.name} is ignored: only a pod can fill it in`)
  }
  return ignored
}
