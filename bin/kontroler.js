#!/usr/bin/env node
// The door: finds a Node that can run the program (24 or newer) and steps through. It is JavaScript, so that an
// older Node gets as far as saying what to do.
import { createRequire } from 'node:module'

// Asked for one by one: an `import` of these evaluates parts of them that are otherwise loaded when they are used.
const require = createRequire(import.meta.url)
const { existsSync, readFileSync, statSync } = require('node:fs')
const { homedir } = require('node:os')
const { dirname, isAbsolute, join } = require('node:path')

const root = dirname(import.meta.dirname ?? require('node:url').fileURLToPath(new URL('.', import.meta.url)))
const major = Number(process.versions.node.split('.')[0])
const pinned = join(root, 'node_modules/.bin/node')

if (major >= 24) {
  const { enableCompileCache, flushCompileCache } = require('node:module')
  enableCompileCache(cacheFolder())
  const { main } = bundled() ? require('../dist/main.cjs') : await import('../src/cli/main.ts')
  await main(process.argv.slice(2))
  // Left by exit(): while Node takes itself down, signals have their usual effect again, and one of them would make a
  // run that has succeeded look killed.
  flushCompileCache()
  const written = stream => new Promise(resolve => stream.write('', resolve))
  await Promise.all([process.stdout, process.stderr].map(written))
  process.exit()
} else if (existsSync(pinned)) {
  const { spawn } = require('node:child_process')
  // By the name it was called by, as kubectl's plugin has another.
  const child = spawn(pinned, process.argv.slice(1), {
    stdio: 'inherit',
  })
  // The terminal sends its signals to both; what is sent to this process alone is passed on.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name))
  child.on('exit', (code, signal) => {
    if (signal !== null) process.kill(process.pid, signal)
    process.exit(code ?? 1)
  })
} else {
  console.error(
    `kontroler needs Node 24 or newer; this is ${process.version}. Run "npm ci" in its folder, or install Node 24.`,
  )
  process.exit(2)
}

// Whether `dist` (see bundle.js) says the same as `src`: nothing it was made of has changed since. A package without
// sources has nothing else.
function bundled() {
  try {
    if (!existsSync(join(root, 'src'))) return true
    for (const line of readFileSync(join(root, 'dist/inputs'), 'utf8').split('\n')) {
      const [size, changed, file] = line.split(' ')
      const found = statSync(`${root}/${file}`)
      if (found.size !== Number(size) || found.mtimeMs !== Number(changed)) return false
    }
    return true
  } catch {
    return false
  }
}

// Compiled code is kept among the user's own caches: Node's default lies in the shared temporary folder, where whoever
// came first owns it. Where there is no home Node's default has to do.
function cacheFolder() {
  try {
    const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
    return existsSync(dirname(caches)) && isAbsolute(caches) ? join(caches, 'kontroler') : undefined
  } catch {
    return undefined
  }
}
