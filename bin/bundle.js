// Makes `dist`: the program and its libraries in a few files, which `kontroler.js` loads in a third of the time that
// `src` takes. It is a cache and nothing else: made by `npm ci` (as `prepare`), used only as long as no file it was made
// of has changed, and never needed. Where the bundler is not installed there is none.
import { copyFileSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
/** Found by their place beside the code that reads them. */
const besides = ['src/executors/process/launch.sh']
/** Loaded from `node_modules` where they are needed: they look for parts of their own. */
const external = ['pg', 'fastify', /^node:/]
/** Parts of Node that are there from its start, or cost next to nothing. */
const cheap = ['events', 'fs', 'module', 'os', 'path', 'process', 'timers/promises', 'url', 'util']
/** What is in a file of its own: libraries that few commands need, and what many need together. */
const libraries = [
  { name: 'schema', test: /node_modules\/zod|src\/spec\/schema/ },
  { name: 'cel', test: /node_modules\/@marcbachmann/ },
  { name: 'cron', test: /node_modules\/croner/ },
  { name: 'yaml', test: /node_modules\/(?:js-)?yaml/ },
  { name: 'kysely', test: /node_modules\/kysely/ },
  {
    name: 'base',
    test: /src\/(?:ports|archives\/filesystem|host|cli\/(?:exit|settings|local|print|values|show|interrupted|program-name|line|declare))|executors\/(?:process\/(?:processes|record)|error-code|stop-notes)|core\/(?:dag|limits|json|problem)/,
  },
]

const rolldown = await bundler()
if (rolldown === null) {
  rmSync(dist, { recursive: true, force: true })
  console.log('no bundle: rolldown is not installed; src runs as it stands')
} else {
  const start = Date.now()
  const draft = mkdtempSync(join(root, '.dist-'))
  try {
    const inputs = inputsOf(await bundle(rolldown, draft))
    const late = inputs.find(({ changed }) => changed >= start)
    if (late !== undefined) throw new Error(`${late.file} changed while the bundle was made; make it again`)
    for (const file of besides) copyFileSync(join(root, file), join(draft, file.replace(/^.*\//, '')))
    const lines = inputs.map(({ file, size, changed }) => `${size} ${changed} ${file}`)
    writeFileSync(join(draft, 'inputs'), lines.join('\n'))
    rmSync(dist, { recursive: true, force: true })
    renameSync(draft, dist)
    console.log(`bundle of ${inputs.length} files made in ${Date.now() - start} ms`)
  } catch (error) {
    // No reason to fail an installation: the sources run without it, and tell what is wrong with them.
    rmSync(dist, { recursive: true, force: true })
    console.error(`no bundle: ${error instanceof Error ? error.message : error}`)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

async function bundler() {
  try {
    return (await import('rolldown')).rolldown
  } catch (error) {
    if (error?.code === 'ERR_MODULE_NOT_FOUND' || /native binding/i.test(String(error))) return null
    throw error
  }
}

/** CommonJS, as an `import` of Node's own modules evaluates every part of them that is otherwise loaded when used. */
async function bundle(rolldown, folder) {
  const made = await rolldown({
    // The second one is what a thread begins with.
    input: {
      main: join(root, 'src/cli/main.ts'),
      'document-worker': join(root, 'src/server/document-worker.ts'),
    },
    cwd: root,
    platform: 'node',
    external,
    preserveEntrySignatures: 'allow-extension',
  })
  const { output } = await made.write({
    dir: folder,
    format: 'cjs',
    comments: false,
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    codeSplitting: { groups: libraries, includeDependenciesRecursively: false },
    plugins: [{ name: 'when-used', renderChunk: code => whenUsed(code) }],
  })
  await made.close()
  return output.flatMap(chunk => (chunk.type === 'chunk' ? chunk.moduleIds : []))
}

/**
 * Parts of Node that take milliseconds to load, and the other files of the bundle, are asked for when something of them
 * is used, which for most of them is never. All of it may be loaded in any order: no module of ours does anything but
 * say what it holds.
 */
function whenUsed(code) {
  const late = new Set()
  const asking =
    /^(?:let|const) (\w+) = require\("(node:|\.\/)([^"]+)"\);(?:\n\1 = ((?:\w+\.)?__toESM)\(\1, 1\);)?$/gm
  const asked = code.replace(asking, (lines, name, from, part, whole) => {
    if (part === 'rolldown-runtime.cjs' || (cheap.includes(part) && whole === undefined)) return lines
    late.add(name)
    const loaded =
      whole === undefined ? `require("${from}${part}")` : `${whole}(require("${from}${part}"), 1)`
    return `let ${name}_part;\nconst ${name}_late = { get part() { return (${name}_part ??= ${loaded}); } };`
  })
  return asked.replace(/\b(\w+)\./g, (use, name) => (late.has(name) ? `${name}_late.part.` : use))
}

/** Sources one by one; of a library its `package.json`, and npm's own note of what is installed. */
function inputsOf(modules) {
  const files = new Set(['package.json', 'bin/bundle.js', 'node_modules/.package-lock.json', ...besides])
  for (const id of modules) {
    const file = relative(root, id)
    const library = /^.*node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(file)?.[0]
    if (library !== undefined) files.add(`${library}package.json`)
    else if (!id.startsWith('\0')) files.add(file)
  }
  return [...files].toSorted().map(file => {
    const { size, mtimeMs } = statSync(join(root, file))
    return { file, size, changed: mtimeMs }
  })
}
