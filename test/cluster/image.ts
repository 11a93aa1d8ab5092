import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'

/** A file, link or folder of an image. */
export type ImageEntry =
  | { readonly path: string; readonly kind: 'file'; readonly bytes: Buffer; readonly mode?: number }
  | { readonly path: string; readonly kind: 'link'; readonly to: string }
  | { readonly path: string; readonly kind: 'folder'; readonly mode?: number; readonly owner?: number }

export interface Image {
  /** In full, such as `docker.io/library/busybox:1.36`. */
  readonly names: readonly string[]
  readonly entries: readonly ImageEntry[]
  readonly entrypoint?: readonly string[]
  readonly command?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly user?: string
  readonly workdir?: string
}

/** Writes an image as an OCI layout in a tar file, as `ctr images import` reads it: there is no registry. */
export async function writeImage(file: string, image: Image): Promise<void> {
  const layer = tar(image.entries)
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {
        Env: Object.entries({ PATH: '/usr/local/bin:/usr/bin:/bin', ...image.env }).map(pair =>
          pair.join('='),
        ),
        ...(image.entrypoint === undefined ? {} : { Entrypoint: image.entrypoint }),
        ...(image.command === undefined ? {} : { Cmd: image.command }),
        ...(image.user === undefined ? {} : { User: image.user }),
        ...(image.workdir === undefined ? {} : { WorkingDir: image.workdir }),
      },
      rootfs: { type: 'layers', diff_ids: [digest(layer)] },
    }),
  )
  const described = (type: string, bytes: Buffer): object => ({
    mediaType: `application/vnd.oci.image.${type}`,
    digest: digest(bytes),
    size: bytes.length,
  })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: described('config.v1+json', config),
      layers: [described('layer.v1.tar', layer)],
    }),
  )
  const index = {
    schemaVersion: 2,
    manifests: image.names.map(name => ({
      ...described('manifest.v1+json', manifest),
      annotations: { 'io.containerd.image.name': name },
    })),
  }
  const blob = (bytes: Buffer): ImageEntry => ({
    path: `blobs/sha256/${digest(bytes).slice(7)}`,
    kind: 'file',
    bytes,
  })
  const layout: ImageEntry[] = [
    { path: 'oci-layout', kind: 'file', bytes: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    { path: 'index.json', kind: 'file', bytes: Buffer.from(JSON.stringify(index)) },
    ...[layer, config, manifest].map(blob),
  ]
  await writeFile(file, tar(layout))
}

/** A root with busybox and all its applets; `sh`, `env` and the like are where scripts look for them. */
export async function busyboxRoot(applets: readonly string[]): Promise<readonly ImageEntry[]> {
  const folders = ['bin', 'usr', 'usr/bin', 'etc', 'root', 'dev', 'proc', 'sys', 'var']
  return [
    ...folders.map(path => ({ path, kind: 'folder' as const })),
    { path: 'tmp', kind: 'folder', mode: 0o1777 },
    { path: 'bin/busybox', kind: 'file', bytes: await readFile('/bin/busybox'), mode: 0o755 },
    ...applets
      .filter(name => name !== 'busybox')
      .map(name => ({ path: `bin/${name}`, kind: 'link' as const, to: '/bin/busybox' })),
    { path: 'usr/bin/env', kind: 'link', to: '/bin/busybox' },
    {
      path: 'etc/passwd',
      kind: 'file',
      bytes: Buffer.from('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n'),
    },
    { path: 'etc/group', kind: 'file', bytes: Buffer.from('root:x:0:\nnobody:x:65534:\n') },
  ]
}

const digest = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

const BLOCK = 512

function tar(entries: readonly ImageEntry[]): Buffer {
  const parts = entries.flatMap(entry => {
    const bytes = entry.kind === 'file' ? entry.bytes : Buffer.alloc(0)
    return [header(entry, bytes.length), bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)])
}

/** A header of the ustar format (POSIX.1-1988); a long path is split at a slash. */
function header(entry: ImageEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  const path = entry.kind === 'folder' ? `${entry.path}/` : entry.path
  const cut = path.length <= 100 ? -1 : path.indexOf('/', path.length - 101)
  if (path.length > 100 && (cut < 0 || cut > 155)) throw new Error(`${path} is too long for a tar file`)
  block.write(path.slice(cut + 1), 0)
  if (cut >= 0) block.write(path.slice(0, cut), 345)
  const octal = (value: number, at: number, length: number): void =>
    void block.write(value.toString(8).padStart(length - 1, '0'), at)
  octal(entry.kind === 'link' ? 0o777 : (entry.mode ?? (entry.kind === 'folder' ? 0o755 : 0o644)), 100, 8)
  const owner = entry.kind === 'folder' ? (entry.owner ?? 0) : 0
  octal(owner, 108, 8)
  octal(owner, 116, 8)
  octal(size, 124, 12)
  octal(0, 136, 12)
  block.write({ file: '0', link: '2', folder: '5' }[entry.kind], 156)
  if (entry.kind === 'link') block.write(entry.to, 157)
  block.write('ustar\u000000', 257)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}
