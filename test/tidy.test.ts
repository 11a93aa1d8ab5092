import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

/** Which rooms a room may import from, beside itself. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ports: ['core'],
  spec: ['core'],
  engine: ['core', 'ports'],
  stores: ['core', 'ports'],
  kubernetes: ['core'],
  executors: ['core', 'ports', 'kubernetes'],
  archives: ['core', 'ports'],
  notifiers: ['core', 'ports'],
  config: ['core'],
  'config.ts': ['core', 'config'],
  operator: ['core', 'ports', 'spec', 'engine', 'kubernetes'],
  // Also runs in a browser.
  client: [],
  server: ['core', 'ports', 'spec', 'engine'],
  controller: ['core', 'ports', 'config', 'config.ts', 'kubernetes'],
  host: ['core', 'ports', 'executors'],
  cli: [
    'core',
    'ports',
    'spec',
    'engine',
    'stores',
    'executors',
    'archives',
    'notifiers',
    'kubernetes',
    'host',
    'operator',
    'server',
    'client',
  ],
}
/** Libraries that are pure and may be used in `core`, each in one file only (ADR 0002). */
const CORE_LIBRARIES: Readonly<Record<string, string>> = {
  '@marcbachmann/cel-js': 'src/core/expression/cel.ts',
  croner: 'src/core/schedule/cron.ts',
}
/** Who may read the environment: the configuration, the command line, and what hands it on to tasks. */
const ENVIRONMENT = ['src/config.ts', 'src/main.ts', 'src/cli/', 'src/executors/process/']
const LINES_MAX = 400
/** Files that nobody edits: a test holds each to what it is made of. */
const GENERATED = ['src/client/api-types.ts']
const LINE_LENGTH_MAX = 120

const sources = globSync('src/**/*.ts').toSorted()
const production = sources.filter(file => !file.endsWith('.test.ts'))
const room = (file: string): string => normalize(file).split('/')[1] ?? ''
const imports = (text: string): string[] =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(match => match[1] ?? '')

test('there are sources to look at', () => assert.ok(production.length > 5))

test('rooms import only along the arrows', () => {
  const wrong: string[] = []
  for (const file of production) {
    const from = room(file)
    for (const name of imports(readFileSync(file, 'utf8')).filter(name => name.startsWith('.'))) {
      const to = room(join(dirname(file), name))
      const allowed = ARROWS[from]
      // What lies beside `src`, such as package.json, is in no room.
      if (to !== '' && allowed !== undefined && to !== from && !allowed.includes(to))
        wrong.push(`${file} → ${name}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('adapters do not import each other', () => {
  const wrong = production.flatMap(file => {
    const parts = normalize(file).split('/')
    if (!['executors', 'archives', 'notifiers', 'stores'].includes(parts[1] ?? '')) return []
    return imports(readFileSync(file, 'utf8'))
      .filter(name => name.startsWith('.'))
      .map(name => normalize(join(dirname(file), name)).split('/'))
      .filter(to => to[1] === parts[1] && parts.length > 3 && to.length > 3 && to[2] !== parts[2])
      .map(to => `${file} → ${to.join('/')}`)
  })
  assert.deepEqual(wrong, [])
})

test('core is pure: no Node, no library but two, no clock, no chance', () => {
  const wrong: string[] = []
  for (const file of production.filter(file => room(file) === 'core')) {
    const text = readFileSync(file, 'utf8')
    for (const name of imports(text)) {
      if (!name.startsWith('.') && CORE_LIBRARIES[name] !== normalize(file))
        wrong.push(`${file} imports ${name}`)
    }
    for (const word of [
      'Date.now',
      'new Date()',
      'Math.random',
      'setTimeout',
      'setInterval',
      'process.',
      'await ',
    ]) {
      if (text.includes(word)) wrong.push(`${file} uses ${word}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('the environment is read in few places', () => {
  const wrong = production.filter(
    file =>
      !ENVIRONMENT.some(place => normalize(file).startsWith(place)) &&
      /process\.env|\{[^}]*\benv\b[^}]*\} = process/.test(readFileSync(file, 'utf8')),
  )
  assert.deepEqual(wrong, [])
})

test('files and lines are short, and nothing escapes the types', () => {
  const wrong: string[] = []
  for (const file of production) {
    const lines = readFileSync(file, 'utf8').split('\n')
    if (lines.length > LINES_MAX && !GENERATED.includes(normalize(file)))
      wrong.push(`${file} has ${lines.length} lines (most: ${LINES_MAX})`)
    lines.forEach((line, index) => {
      if (line.length > LINE_LENGTH_MAX && !GENERATED.includes(normalize(file)))
        wrong.push(`${file}:${index + 1} is ${line.length} long`)
      if (/\bas any\b|: any\b|@ts-ignore|@ts-nocheck|oxlint-disable/.test(line))
        wrong.push(`${file}:${index + 1} ${line.trim()}`)
    })
  }
  assert.deepEqual(wrong, [])
})
