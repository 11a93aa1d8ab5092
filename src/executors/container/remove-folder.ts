import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { codeOf } from '../error-code.ts'
import type { ContainerEngine } from './container-engine.ts'
import { ownLimits } from './limits.ts'

/**
 * Removes a folder that containers have written to. Their users may not be ours: what we may not remove is removed by a
 * container, as the user who may.
 *
 * @param image  One that is there and has a shell; null leaves what we may not remove.
 * @throws The error of the system when that does not help either.
 */
export async function removeFolder(
  engine: ContainerEngine,
  folder: string,
  image: string | null,
): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true })
  } catch (error) {
    if (image === null || !['EACCES', 'EPERM', 'ENOTEMPTY'].includes(codeOf(error))) throw error
    await emptyByContainer(engine, folder, image)
    await rm(folder, { recursive: true, force: true })
  }
}

/** The folder itself stays: it is ours. */
export async function emptyByContainer(
  engine: ContainerEngine,
  folder: string,
  image: string,
): Promise<void> {
  const id = await engine.create(`kontroler-remove-${randomUUID()}`, {
    Image: image,
    Entrypoint: ['/bin/sh', '-c', 'cd /folder && rm -rf ./* ./.[!.]* ./..?*'],
    Cmd: [],
    User: '0',
    HostConfig: {
      NetworkMode: 'none',
      Ulimits: engine.dialect === 'podman' ? ownLimits() : [],
      Mounts: [{ Type: 'bind', Source: folder, Target: '/folder' }],
    },
  })
  try {
    await engine.start(id)
    await engine.waitForEnd(id, new AbortController().signal)
  } finally {
    await engine.remove(id, true)
  }
}
