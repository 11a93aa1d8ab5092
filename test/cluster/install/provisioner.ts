import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { hostPathVolume } from '../volumes.ts'
import { listOf, type Program } from './programs.ts'

interface Claim {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string }
  readonly spec: { readonly storageClassName?: string; readonly volumeName?: string }
}

/**
 * What most clusters have and this one has not: claims that name no class get a volume, here a folder of this machine.
 * Only those of the given namespaces.
 */
export function startProvisioner(
  kubectl: Program,
  namespaces: readonly string[],
): { close(): Promise<void> } {
  const folder = mkdtempSync(join(tmpdir(), 'kontroler-volumes-'))
  const made = new Set<string>()
  let closed = false

  async function look(namespace: string): Promise<void> {
    const found = await kubectl(['get', 'pvc', '-n', namespace, '-o', 'json'])
    const { items } = JSON.parse(found) as { items: readonly Claim[] }
    for (const { metadata, spec } of items) {
      const volume = `test-${metadata.uid}`
      if (made.has(volume) || (spec.storageClassName ?? '') !== '' || (spec.volumeName ?? '') !== '') continue
      made.add(volume)
      const { name, uid } = metadata
      const one = hostPathVolume(volume, '', join(folder, uid), '100Gi') as { readonly spec: object }
      const claimRef = { namespace, name, uid }
      await kubectl(['apply', '-f', '-'], listOf({ ...one, spec: { ...one.spec, claimRef } }))
    }
  }

  async function go(): Promise<void> {
    while (!closed) {
      // A namespace that is on its way may be gone any time.
      for (const namespace of namespaces) await look(namespace).catch(() => undefined)
      await pause(250)
    }
  }
  const going = go()
  return {
    async close() {
      closed = true
      await going
      if (made.size > 0) await kubectl(['delete', 'pv', '--wait=false', '--ignore-not-found', ...made])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
