import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { COMMAND_CODES } from '../src/cli/command-codes.ts'
import { LIMITS } from '../src/core/limits.ts'
import { PROBLEM_CODES } from '../src/core/problem-codes.ts'
import { REASONS } from '../src/core/run/reasons.ts'
import { SKIP_REASONS } from '../src/core/schedule/skip.ts'
import { DELIVERY_CODES } from '../src/ports/deliveries.ts'
import { ACCOUNT_LIMITS } from '../src/ports/accounts.ts'
import { STORE_CODES } from '../src/ports/store.ts'
import { SERVER_LIMITS } from '../src/server/limits.ts'
import { API_CODES } from '../src/server/problem-codes.ts'

const update = process.env['UPDATE'] === '1'

function holds(file: string, text: string): void {
  if (update) writeFileSync(file, text)
  assert.equal(existsSync(file) ? readFileSync(file, 'utf8') : '', text, `${file} is stale: npm run generate`)
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.map(cell).join(' | ')} |`).join('\n')
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

test('the page of reason codes is that of the table', () => {
  const rows = Object.entries(REASONS).map(([code, [sentence, next]]) => [`\`${code}\``, sentence, next])
  const skips = Object.entries(SKIP_REASONS).map(([code, sentence]) => [`\`${code}\``, sentence])
  holds(
    'docs/reference/reasons.md',
    `# Reason codes

Why a task or run waits, and why it ended as it did: the closed list, the same everywhere. Words in braces are filled in.

${table(['code', 'the task or run …', 'what to do'], rows)}

Why a tick of a schedule did not become a run:

${table(['code', 'meaning'], skips)}
`,
  )
})

test('the page of problem codes is that of the table', () => {
  const rows = (codes: Readonly<Record<string, string>>): string[][] =>
    Object.entries(codes).map(([code, meaning]) => [`\`${code}\``, meaning])
  const api = Object.entries(API_CODES).map(([code, [status, meaning]]) => [
    `\`${code}\``,
    String(status),
    meaning,
  ])
  holds(
    'docs/reference/problems.md',
    `# Problem codes

What can be wrong with documents and requests. Each comes with its place, one sentence and a fix; the code is stable.

${table(['code', 'meaning'], rows(PROBLEM_CODES))}

## Of commands

What stops a command, whatever the documents say. It comes with one sentence and a fix.

${table(['code', 'meaning'], rows(COMMAND_CODES))}

## Of the API

What goes wrong between a client and the server, as \`application/problem+json\`; all codes above are said there too.

${table(['code', 'status', 'meaning'], api)}

## Of messages to receivers

How an attempt to deliver a message of a webhook ended; see [webhooks](../guide/webhooks.md).

${table(['code', 'meaning'], rows(DELIVERY_CODES))}

## Of the store

${table(['code', 'meaning'], rows(STORE_CODES))}
`,
  )
})

test('every code of a command is one that a command can end with', () => {
  const files = globSync('src/cli/**/*.ts', { exclude: ['src/cli/command-codes.ts'] })
  const texts = files.map(file => readFileSync(file, 'utf8'))
  const unused = Object.keys(COMMAND_CODES).filter(code => !texts.some(text => text.includes(`'${code}'`)))
  assert.deepEqual(unused, [])
})

const TABLES_OF_LIMITS = [
  ['src/core/limits.ts', LIMITS],
  ['src/server/limits.ts', SERVER_LIMITS],
  ['src/ports/accounts.ts', ACCOUNT_LIMITS],
] as const

test('the page of limits is that of the tables', () => {
  const [engine, server, accounts] = TABLES_OF_LIMITS.map(([file, limits]) => {
    const source = readFileSync(file, 'utf8')
    const rows = Object.entries(limits).map(([name, value]) => {
      const comment = new RegExp(`/\\*\\* ([^*]+) \\*/\\s+${name}:`).exec(source)?.[1] ?? ''
      return [`\`${name}\``, String(value), comment]
    })
    return table(['name', 'value', 'meaning'], rows)
  })
  holds(
    'docs/reference/limits.md',
    `# Limits\n\nBounds of the engine; units stand last in the names.\n\n${engine}\n\n## Of the API\n\n${server}\n\n## Of accounts\n\n${accounts}\n`,
  )
})

test('every limit says what it is', () => {
  const silent = TABLES_OF_LIMITS.flatMap(([file, limits]) => {
    const source = readFileSync(file, 'utf8')
    return Object.keys(limits).filter(name => !new RegExp(`\\*/\\s+${name}:`).test(source))
  })
  assert.deepEqual(silent, [])
})

test('links between pages lead somewhere', () => {
  const broken: string[] = []
  for (const page of [
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    ...globSync('docs/**/*.md'),
  ]) {
    for (const [, target = ''] of readFileSync(page, 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      if (!existsSync(join(dirname(page), target))) broken.push(`${page} → ${target}`)
    }
  }
  assert.deepEqual(broken, [])
})

test('the DAG in the README is a good one, and every example it names is there', async () => {
  const readme = readFileSync('README.md', 'utf8')
  const text = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const { loadDocuments } = await import('../src/spec/load.ts')
  const loaded = loadDocuments([{ name: 'README.md', text }])
  assert.deepEqual(loaded.problems, [])
  assert.equal(loaded.dags.length, 1)
  for (const [file] of readme.matchAll(/examples\/[a-z-]+\.yaml/g)) assert.ok(existsSync(file), file)
})

test('examples are at least fifteen, and each says what to expect', () => {
  const files = globSync('examples/*.yaml')
  assert.ok(files.length >= 15)
  const silent = files.filter(file => !/^# expect: (succeeded|failed)$/m.test(readFileSync(file, 'utf8')))
  assert.deepEqual(silent, [])
})

test('nothing committed names a folder of the machine it was written on', () => {
  const marks = [
    ['', 'work', 'main'].join('/'),
    ['', 'work', 'wt'].join('/'),
    ['', 'work', 'shared'].join('/'),
  ]
  const files = globSync(
    ['*.md', 'docs/**/*', 'src/**/*', 'test/**/*', 'examples/*', 'package-lock.json', '.ci/*'],
    {
      exclude: ['**/node_modules/**'],
    },
  )
  const wrong = files.filter(
    file => /\.\w+$/.test(file) && marks.some(mark => readFileSync(file, 'utf8').includes(mark)),
  )
  assert.deepEqual(wrong, [])
})
