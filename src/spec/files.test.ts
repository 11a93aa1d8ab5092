import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { readFiles } from './files.ts'

async function inDirectory(check: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'kontroler-files-'))
  try {
    await check(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

test('a directory gives its YAML and JSON files by name, and those below only when asked', () =>
  inDirectory(async directory => {
    await mkdir(join(directory, 'deep'))
    for (const name of ['b.yml', 'a.yaml', 'c.json', 'd.txt', '.hidden.yaml', 'deep/e.yaml'])
      await writeFile(join(directory, name), name)
    const names = async (recursive: boolean): Promise<string[]> =>
      (await readFiles([directory], { recursive })).inputs.map(({ text }) => text)
    assert.deepEqual(await names(false), ['a.yaml', 'b.yml', 'c.json'])
    assert.deepEqual(await names(true), ['a.yaml', 'b.yml', 'c.json', 'deep/e.yaml'])
  }))

test('a file that is named is read whatever it is called', () =>
  inDirectory(async directory => {
    const file = join(directory, 'workflow')
    await writeFile(file, 'x')
    assert.deepEqual(await readFiles([file]), {
      inputs: [{ name: file, text: 'x', found: false }],
      problems: [],
    })
  }))

test('a dash is standard input', async () => {
  const { inputs } = await readFiles(['-'], { stdin: Readable.from(['a: ', '1\n']) })
  assert.deepEqual(inputs, [{ name: '-', text: 'a: 1\n' }])
})

test('what cannot be read is told, and the rest is read', () =>
  inDirectory(async directory => {
    await writeFile(join(directory, 'large.yaml'), 'x'.repeat(5_000_000))
    await writeFile(join(directory, 'binary.yaml'), Buffer.from([0x61, 0xff, 0xfe]))
    await writeFile(join(directory, 'fine.yaml'), 'x')
    await mkdir(join(directory, 'empty'))
    const { inputs, problems } = await readFiles([
      directory,
      join(directory, 'none'),
      join(directory, 'empty'),
    ])
    assert.deepEqual(
      inputs.map(({ name }) => name),
      [join(directory, 'fine.yaml')],
    )
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['FILE_NOT_TEXT', 'FILE_TOO_LARGE', 'FILE_UNREADABLE', 'NO_DOCUMENT'],
    )
  }))
