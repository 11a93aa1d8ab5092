import { readFileSync } from 'node:fs'
import { codeOf } from '../error-code.ts'
import { EngineUnreachable } from './client.ts'
import type { ContainerEngine } from './container-engine.ts'

/** The registry, or the engine on its behalf, would not give the image; the message is its own sentence. */
export class ImageError extends Error {
  readonly code = 'IMAGE_ERROR'
}

/** Called with a sentence now and then while an image comes. */
export type Progress = (sentence: string) => void

/** Least time between two sentences about the same image. */
const PROGRESS_MS = 2_000

interface PullLine {
  readonly status?: string
  readonly id?: string
  readonly progressDetail?: { readonly current?: number; readonly total?: number } | null
  readonly error?: string
  readonly errorDetail?: { readonly message?: string } | null
}

/**
 * Pulls an image and tells how far it is.
 *
 * @throws {ImageError}
 * @throws {EngineUnreachable}
 */
export async function pullImage(
  engine: ContainerEngine,
  image: string,
  credentials: string | null,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  progress(`pulling image ${image}`)
  const layers = new Map<string, { current: number; total: number }>()
  let said = Date.now()
  const answer = await engine.pull(image, credentials, signal)
  for await (const line of linesOf(answer as AsyncIterable<Buffer>)) {
    const trouble = line.errorDetail?.message ?? line.error
    if (trouble !== undefined && trouble !== '') throw new ImageError(trouble)
    const { current, total } = line.progressDetail ?? {}
    if (line.id !== undefined && current !== undefined && total !== undefined)
      layers.set(`${line.status} ${line.id}`, { current, total })
    if (layers.size === 0 || Date.now() - said < PROGRESS_MS) continue
    said = Date.now()
    progress(`pulling image ${image}: ${howFar([...layers.values()])}`)
  }
  progress(`pulled image ${image}`)
}

function howFar(layers: readonly { readonly current: number; readonly total: number }[]): string {
  const current = layers.reduce((sum, layer) => sum + layer.current, 0)
  const total = layers.reduce((sum, layer) => sum + layer.total, 0)
  return `${megabytes(current)} of ${megabytes(total)} MB`
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)

async function* linesOf(answer: AsyncIterable<Buffer>): AsyncGenerator<PullLine> {
  let rest = ''
  const decoder = new TextDecoder()
  try {
    for await (const chunk of answer) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as PullLine
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw new ImageError('the engine’s answer was not understood')
    throw new EngineUnreachable(`the pull broke off: ${codeOf(error) || String(error)}`, true)
  }
  if (rest.trim() !== '') yield JSON.parse(rest) as PullLine
}

/**
 * The registry that an image comes from, as files of credentials name it.
 *
 * @example registryOf('busybox') → 'docker.io'
 * @example registryOf('ghcr.io/a/b:1') → 'ghcr.io'
 */
export function registryOf(image: string): string {
  const [first = '', ...rest] = image.split('/')
  const isHost = rest.length > 0 && (/[.:]/u.test(first) || first === 'localhost')
  return isHost ? first : 'docker.io'
}

/** What Docker Hub is called in files of credentials. */
const HUB: readonly string[] = ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io']

/**
 * The header that shows a registry who asks, from what `docker login` or `podman login` left in a file; null when there
 * is nothing for that registry. Credential stores outside the file are not asked: that would start a program.
 */
export function credentialsFor(image: string, files: readonly string[]): string | null {
  const registry = registryOf(image)
  const names = registry === 'docker.io' ? HUB : [registry, `https://${registry}`]
  for (const file of files) {
    const auths = authsOf(file)
    for (const name of names) {
      const [username = '', ...password] = Buffer.from(auths[name]?.auth ?? '', 'base64')
        .toString('utf8')
        .split(':')
      if (username === '') continue
      const header = { username, password: password.join(':'), serveraddress: name }
      return Buffer.from(JSON.stringify(header)).toString('base64url')
    }
  }
  return null
}

type Auths = Readonly<Record<string, { readonly auth?: string } | undefined>>

function authsOf(file: string): Auths {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { readonly auths?: Auths }).auths ?? {}
  } catch {
    // Not there, or not understood: then there are no credentials, and the registry says whether it wants some.
    return {}
  }
}
