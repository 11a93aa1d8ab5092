import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  mkdirSync,
  openSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { workspacePath } from '../../core/run/attempt-path.ts'
import type { AttemptSpec } from '../../ports/executor.ts'
import { type AttemptFiles, emptyFolder } from './body.ts'
import type { ContainerSettings } from './pod-template.ts'

/** Where Podman writes the log of an attempt's container. */
export const engineLogFile = (folder: string): string => join(folder, 'engine-log')

/**
 * Makes the files that a container is given. Its processes may have whatever user, so what they write to is open
 * to all; the folders above are their owner's only, so nobody else of this machine gets there.
 */
export function makeFiles(
  spec: AttemptSpec,
  folder: string,
  stateDir: string,
  settings: ContainerSettings,
): AttemptFiles {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const files: AttemptFiles = {
    script: spec.work.script === null ? null : join(folder, 'script'),
    outputs: join(folder, 'output'),
    workspace: spec.workspace ? join(stateDir, workspacePath(spec.run)) : null,
    engineLog: engineLogFile(folder),
    volumes: join(folder, 'volumes'),
  }
  makeOpen(files.outputs)
  makeOutput(join(files.outputs, 'values'))
  if (files.script !== null) makeScript(files.script, spec.work.script ?? '')
  if (files.workspace !== null) makeOpen(files.workspace)
  for (const { source } of settings.mounts) {
    if (source.kind === 'empty') makeOpen(emptyFolder(files, source))
    if (source.kind === 'host' && source.make) mkdirSync(source.path, { recursive: true })
  }
  return files
}

/** The mode is set apart from the making, as the umask would take something off it. */
function makeOpen(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  chmodSync(directory, 0o777)
}

function makeOutput(file: string): void {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants
  const handle = openSync(file, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o666)
  fchmodSync(handle, 0o666)
  closeSync(handle)
}

/** Renamed into place: another engine's container may be about to execute it. */
function makeScript(file: string, script: string): void {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, script, { mode: 0o755 })
  chmodSync(draft, 0o755)
  renameSync(draft, file)
}
