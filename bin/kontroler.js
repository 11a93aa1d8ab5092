#!/usr/bin/env node
// The door: finds a Node that can run the program (24 or newer) and steps through. It is JavaScript, so that an
// older Node gets as far as saying what to do.
import { existsSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { spawn } from 'node:child_process'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const major = Number(process.versions.node.split('.')[0])
const self = fileURLToPath(import.meta.url)
const pinned = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))

if (major >= 24) {
  nodeModule.enableCompileCache?.(cacheFolder())
  const { main } = await import('../src/cli/main.ts')
  await main(process.argv.slice(2))
  // Left by exit(): while Node takes itself down, signals have their usual effect again, and one of them would make a
  // run that has succeeded look killed.
  nodeModule.flushCompileCache?.()
  const written = stream => new Promise(resolve => stream.write('', resolve))
  await Promise.all([process.stdout, process.stderr].map(written))
  process.exit()
} else if (existsSync(pinned)) {
  const child = spawn(pinned, [self, ...process.argv.slice(2)], { stdio: 'inherit' })
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
