import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Cluster } from './cluster.ts'
import { busyboxRoot, type Image, type ImageEntry } from './image.ts'

/** Names that documents, samples and tests use; all of them are Debian's busybox. */
const BUSYBOX_NAMES = [
  'busybox:latest',
  'busybox:1.36',
  'busybox:1.37',
  'alpine:latest',
  'alpine:3',
  'alpine:3.22',
]
/** The same, and a real bash. */
const BASH_NAMES = ['bash:latest', 'bash:5', 'debian:latest', 'debian:12', 'ubuntu:latest', 'ubuntu:24.04']
const inFull = (name: string): string => `docker.io/library/${name}`
const PAUSE = 'docker.io/local/pause:1'

/** What every node knows, as far as it does not yet. */
export async function missingImages(known: readonly string[]): Promise<readonly Image[]> {
  const entries = await busyboxRoot(busyboxApplets())
  const bash: readonly ImageEntry[] = [
    ...entries.filter(({ path }) => path !== 'bin/bash'),
    ...programEntries('/bin/bash', 'bin/bash'),
    { path: 'usr/local/bin/bash', kind: 'link', to: '/bin/bash' },
  ]
  const images: readonly Image[] = [
    { names: BUSYBOX_NAMES.map(inFull), entries, command: ['sh'] },
    { names: BASH_NAMES.map(inFull), entries: bash, command: ['bash'] },
    { names: [PAUSE], entries, entrypoint: ['/bin/sleep'], command: ['infinity'] },
  ]
  return images.filter(({ names }) => !names.every(name => known.includes(name)))
}

/** An image to be made of a base and some files. */
export interface MadeImage {
  /** `docker.io/local/engine:1`; without a host and folder, `docker.io/library/` is meant. */
  readonly name: string
  /** `node`: nothing but the pinned Node, its libraries, users and certificates. Default `busybox`. */
  readonly base?: 'none' | 'busybox' | 'node'
  /** What they hold, by absolute path; see {@link folderEntries} for whole folders. */
  readonly files?: Readonly<Record<string, string | Buffer>>
  readonly entries?: readonly ImageEntry[]
  readonly entrypoint?: readonly string[]
  readonly command?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly user?: string
  readonly workdir?: string
}

/** Makes an image and makes it known to the cluster's node. Files may be executed by everybody. */
export async function makeImage(cluster: Cluster, image: MadeImage): Promise<void> {
  const { name, base = 'busybox', files = {}, entries = [], ...rest } = image
  const root = await { none: async () => [], busybox: () => busyboxRoot(busyboxApplets()), node: nodeRoot }[
    base
  ]()
  const own = Object.entries(files).map(
    ([path, bytes]): ImageEntry => ({
      path: path.replace(/^\/+/u, ''),
      kind: 'file',
      bytes: Buffer.from(bytes),
      mode: 0o755,
    }),
  )
  const names = [name.includes('/') ? name : inFull(name)]
  await cluster.addImage({ ...rest, names, entries: [...root, ...own, ...entries] })
}

/** A folder of this machine with everything in it, at an absolute path of an image. */
export function folderEntries(from: string, to: string): readonly ImageEntry[] {
  const inside = to.replace(/^\/+/u, '')
  const entries = readdirSync(from, { withFileTypes: true }).flatMap((entry): readonly ImageEntry[] => {
    const [source, path] = [join(from, entry.name), join(inside, entry.name)]
    if (entry.isDirectory()) return folderEntries(source, path)
    return [{ path, kind: 'file', bytes: readFileSync(source), mode: 0o755 }]
  })
  return [{ path: inside, kind: 'folder' }, ...entries]
}

/** As small as an image of Node for production: no shell, an ordinary user (65532) beside root. */
export async function nodeRoot(): Promise<readonly ImageEntry[]> {
  const folders = ['etc', 'home', 'usr', 'usr/local', 'usr/local/bin', 'dev', 'proc', 'sys', 'var']
  const file = (path: string, text: string): ImageEntry => ({ path, kind: 'file', bytes: Buffer.from(text) })
  return [
    ...folders.map((path): ImageEntry => ({ path, kind: 'folder' })),
    { path: 'tmp', kind: 'folder', mode: 0o1777 },
    { path: 'home/nonroot', kind: 'folder', mode: 0o777 },
    file('etc/passwd', 'root:x:0:0:root:/root:/none\nnonroot:x:65532:65532::/home/nonroot:/none\n'),
    file('etc/group', 'root:x:0:\nnonroot:x:65532:\n'),
    ...programEntries(pinnedNode(), 'usr/local/bin/node'),
  ]
}

function pinnedNode(): string {
  const manifest = createRequire(import.meta.url).resolve(`node-linux-${process.arch}/package.json`)
  return join(manifest, '..', 'bin', 'node')
}

/** A program of this machine with the libraries that it is linked to, which stay where they are. */
function programEntries(program: string, path: string): readonly ImageEntry[] {
  const linked = execFileSync('ldd', [program], { encoding: 'utf8' })
  const libraries = [...linked.matchAll(/(\/\S+) \(0x/gu)].map(([, library = '']) => library)
  const file = (from: string, to: string): ImageEntry => ({
    path: to,
    kind: 'file',
    bytes: readFileSync(from),
    mode: 0o755,
  })
  return [file(program, path), ...libraries.map(library => file(library, library.slice(1)))]
}

export const busyboxApplets = (): readonly string[] =>
  execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')
