import type { Dag } from '../core/dag/dag.ts'
import type { PodSettings } from '../ports/executor.ts'

/** What a DAG says of its pods. Its texts were checked when the document was read; what is absent has its default. */
export const podSettings = (dag: Dag): PodSettings => ({
  workspaceClaim: dag.workspace?.pvc ?? null,
  startGuarantee: dag.extra['startGuarantee'] === 'strict' ? 'strict' : 'fence',
  evidence: dag.extra['evidence'] === 'finalizer' ? 'finalizer' : 'watch',
  security: dag.extra['podSecurity'] === 'restricted' ? 'restricted' : 'hardened',
})
