import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ImageEntry } from './image.ts'
import type { MadeImage } from './images.ts'

const ROOT = join(import.meta.dirname, '..', '..')
/** Where the base of the Dockerfile has its Node. */
const NODE = 'nodejs/bin/node'

/** What the chart runs when no value says otherwise. */
export function chartImage(): string {
  const [values, chart] = ['values.yaml', 'Chart.yaml'].map(name =>
    readFileSync(join(ROOT, 'deploy/chart', name), 'utf8'),
  )
  const repository = /^ {2}repository: (\S+)$/mu.exec(values ?? '')?.[1] ?? ''
  const version = /^appVersion: "(\S+)"$/mu.exec(chart ?? '')?.[1] ?? ''
  return `${repository}:${version}`
}

/**
 * The image of deploy/Dockerfile as `makeImage` makes it, on the pinned Node instead of the base, for a machine without
 * Docker or a registry: files, variables, user and command are read from the last stage.
 *
 * @param name  Default: a tag that says what is in it.
 * @throws {Error} The Dockerfile says something that is not understood here.
 */
export function controllerImage(name?: string): MadeImage & { readonly bytes: number } {
  const entries: ImageEntry[] = [{ path: NODE, kind: 'link', to: '/usr/local/bin/node' }]
  const env: Record<string, string> = {}
  let [user, workdir, entrypoint] = ['', '', [] as readonly string[]]
  for (const { word, rest } of lastStage()) {
    if (word === 'COPY') entries.push(...copied(rest))
    else if (word === 'ENV')
      for (const pair of rest.split(' ')) env[pair.slice(0, pair.indexOf('='))] = pair.replace(/^[^=]*=/u, '')
    else if (word === 'USER') user = rest
    else if (word === 'WORKDIR') workdir = rest
    else if (word === 'ENTRYPOINT') entrypoint = JSON.parse(rest) as readonly string[]
    else if (!['LABEL', 'EXPOSE'].includes(word))
      throw new Error(`${word} of the Dockerfile is not understood`)
  }
  const made = { base: 'node', entries: withFolders(entries), entrypoint, env, user, workdir } as const
  const hash = createHash('sha256').update(JSON.stringify({ ...made, entries: [] }))
  let bytes = 0
  for (const entry of made.entries) {
    hash.update(`${entry.kind} ${entry.path}\0`)
    if (entry.kind === 'file') hash.update(entry.bytes)
    if (entry.kind === 'file') bytes += entry.bytes.length
  }
  const tag = hash.digest('hex').slice(0, 16)
  return { name: name ?? `docker.io/local/kontroler:${tag}`, ...made, bytes }
}

/** Packages that `npm ci --omit=dev --omit=optional` installs. */
export function productionPackages(): readonly string[] {
  interface Locked {
    readonly dev?: boolean
    readonly optional?: boolean
    readonly devOptional?: boolean
  }
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>
  }
  return Object.entries(lock.packages)
    .filter(([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional)
    .map(([path]) => path)
}

interface Line {
  readonly word: string
  readonly rest: string
}

function lastStage(): readonly Line[] {
  const text = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8').replaceAll(/\\\n/gu, ' ')
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  const start = lines.findLastIndex(line => line.startsWith('FROM '))
  return lines.slice(start + 1).map(line => {
    const [, word = '', rest = ''] = /^([A-Z]+)\s+(.*)$/u.exec(line) ?? []
    return { word, rest: rest.trim() }
  })
}

/** What a COPY of the last stage brings; of what other stages made only these are known. */
function copied(rest: string): readonly ImageEntry[] {
  const flags = rest.match(/--\S+/gu) ?? []
  const paths = rest.replaceAll(/--\S+\s*/gu, '').split(/\s+/u)
  const to = paths.at(-1)?.replace(/^\//u, '') ?? ''
  const [from = '', ...others] = paths.slice(0, -1)
  if (!flags.some(flag => flag.startsWith('--from=')))
    return [from, ...others].map(name => fileEntry(name, `${to}${name}`))
  const owner = Number(
    /^--chown=(\d+):/u.exec(flags.find(flag => flag.startsWith('--chown=')) ?? '')?.[1] ?? 0,
  )
  if (from === '/app/node_modules')
    return productionPackages().flatMap(path => filesBelow(path).map(file => fileEntry(file, `app/${file}`)))
  if (from === '/app/src')
    return filesBelow('src')
      .filter(file => !file.endsWith('.test.ts'))
      .map(file => fileEntry(file, `app/${file}`))
  if (from === `/empty/${to}`) return [{ path: to, kind: 'folder', owner }]
  throw new Error(`where ${from} of the Dockerfile comes from is not known`)
}

/** Files of a folder; what npm has put into a package, right below it, is listed for itself. */
function filesBelow(folder: string, isPackage = true): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    if (!entry.isDirectory()) return [path]
    return isPackage && entry.name === 'node_modules' ? [] : filesBelow(path, false)
  })
}

const fileEntry = (from: string, path: string): ImageEntry => ({
  path,
  kind: 'file',
  bytes: readFileSync(join(ROOT, from)),
})

/** Each folder once, before what is in it. */
function withFolders(entries: readonly ImageEntry[]): readonly ImageEntry[] {
  const known = new Set(entries.filter(({ kind }) => kind === 'folder').map(({ path }) => path))
  const made: ImageEntry[] = []
  for (const entry of entries) {
    const above: string[] = []
    for (let path = dirname(entry.path); path !== '.'; path = dirname(path)) above.unshift(path)
    for (const path of above) {
      if (known.has(path)) continue
      known.add(path)
      made.push({ path, kind: 'folder' })
    }
    made.push(entry)
  }
  return made
}
