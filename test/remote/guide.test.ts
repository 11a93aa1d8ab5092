import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { PROGRAM, place, until } from '../cli/program.ts'

const PAGE = readFileSync('docs/guide/remote.md', 'utf8')
const blocks = [...PAGE.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text)

test('every block of the guide does what it says, one after the other', async t => {
  const here = await place()
  t.after(() => here.remove())
  mkdirSync(join(here.folder, 'dags'))
  const [start = '', ...others] = blocks
  assert.equal(start, 'npx kontroler dev dags\n')
  writeFileSync(join(here.folder, 'dags/first.yaml'), FIRST)
  const env = { KONTROLER_EXECUTOR: 'process' }
  const dev = here.start(['dev', 'dags', '--port', '0'], { env })
  t.after(() => dev.child.kill('SIGTERM'))
  const urlOf = (): string => /API on (http:\S+);/.exec(dev.output())?.[1] ?? ''
  await until(() => urlOf() !== '')
  assert.ok(others.length >= 5)
  const program = `kontroler() { "${process.execPath}" "${PROGRAM}" "$@"; }`
  const script = ['set -eu', program, ...others]
    .join('\n')
    .replaceAll('http://127.0.0.1:8080', urlOf())
    .replaceAll('.kontroler/', `${here.state}/`)
  const { code, out } = await shell(script, here.folder)
  assert.equal(code, 0, out)
  assert.match(out, /^logged in to http:\S+ \(version /m)
  assert.match(out, /^first +1 +1 +- +never$/m)
  assert.match(out, /^\* +laptop +http/m)
  assert.match(out, /^DAG default\/greet is created: version 1$/m)
  assert.match(out, /^DAG default\/greet is in force: version 2 \(before: 1\)$/m)
  assert.match(out, /✔ greet-\w+ succeeded/)
  assert.match(out, /^good morning Ada$/m)
  assert.match(out, /^run greet-\w+ of DAG greet is submitted$/m)
})

const FIRST = `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: first}
spec:
  task: [{name: a, image: busybox, script: "true"}]
`

function shell(script: string, cwd: string): Promise<{ code: number | null; out: string }> {
  const { KONTROLER_STATE: _, ...inherited } = process.env
  const env = { ...inherited, XDG_CONFIG_HOME: join(cwd, 'config') }
  const child = spawn('bash', ['-c', script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      out += bytes.toString()
    })
  return new Promise(resolve => child.on('close', code => resolve({ code, out })))
}
