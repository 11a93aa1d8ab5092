import type { SecretRef } from '../core/dag/dag.ts'

/** Reads the value of a Secret's or a ConfigMap's key at the moment an attempt starts. Nothing keeps the value. */
export interface ValueSource {
  secret(namespace: string, ref: SecretRef): Promise<string | null>
  configMap(namespace: string, ref: SecretRef): Promise<string | null>
}
