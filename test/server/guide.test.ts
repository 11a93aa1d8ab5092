import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { place, until } from '../cli/program.ts'
import { oneTask } from './house.ts'

const PAGE = readFileSync('docs/guide/api.md', 'utf8')
const CLIENT = fileURLToPath(new URL('../../src/client/client.ts', import.meta.url))
const blocks = (language: string): readonly string[] =>
  [...PAGE.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, name, text = '']) =>
    name === language ? [text] : [],
  )

test('every block of the guide does what it says, one after the other', async t => {
  if (spawnSync('curl', ['--version']).status !== 0) {
    assert.equal(process.env['CI'], undefined, 'curl is needed')
    return t.skip('SKIPPED: there is no curl')
  }
  const here = await place()
  t.after(() => here.remove())
  mkdirSync(join(here.folder, 'dags'))
  const [start = '', ...others] = blocks('sh')
  assert.equal(start, 'npx kontroler dev dags\n')
  writeFileSync(join(here.folder, 'dags/first.yaml'), oneTask('first', 'true'))
  const dev = here.start(['dev', 'dags', '--port', '0'])
  t.after(() => dev.child.kill('SIGTERM'))
  const urlOf = (): string => /API on (http:\S+);/.exec(dev.output())?.[1] ?? ''
  await until(() => urlOf() !== '')
  assert.ok(others.length >= 5)
  const [program = ''] = blocks('ts')
  writeFileSync(join(here.folder, 'program.ts'), program.replace('./src/client/client.ts', CLIENT))
  const script = ['set -eu', ...others, `echo`, `"${process.execPath}" program.ts`]
    .join('\n')
    .replace('http://127.0.0.1:8080', urlOf())
    .replace('.kontroler/', `${here.state}/`)
  const { code, out } = await shell(script, here.folder)
  assert.equal(code, 0, out)
  assert.match(out, /\{"version":"/)
  assert.match(out, /\{"problems":\[\]\}/)
  assert.match(out, /"phase":"succeeded"/)
  assert.match(out, /"code":"SUCCEEDED"/)
  assert.match(out, /hello Ada\n/)
  assert.match(out, /\nsucceeded\n$/)
})

function shell(script: string, cwd: string): Promise<{ code: number | null; out: string }> {
  const child = spawn('bash', ['-c', script], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      out += bytes.toString()
    })
  return new Promise(resolve => child.on('close', code => resolve({ code, out })))
}
