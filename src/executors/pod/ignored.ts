import type { ContainerWork } from '../../core/dag/dag.ts'

/** What of a task a pod does without; its template is heard in full or refused (`podProblem`). */
export const ignoredOf = (work: ContainerWork): readonly string[] =>
  work.scriptInjectorImage === null
    ? []
    : ['scriptInjectorImage is ignored: the script is mounted, read-only, and needs no image']
