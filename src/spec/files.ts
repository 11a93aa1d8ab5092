import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import type { Problem } from '../core/problem.ts'
import { FILES_MAX, TEXT_BYTES_MAX } from './limits.ts'
import { tooLarge, type Input } from './read.ts'

/** Texts of the files a person named, and what could not be read. */
export interface ReadFiles {
  readonly inputs: readonly Input[]
  readonly problems: readonly Problem[]
}

/**
 * Reads files, directories (`*.yaml`, `*.yml`, `*.json`, by name) and, for `-`, standard input. A text that is too
 * large is not read. What a person names is read whatever it is called; what stands in a directory must look right.
 */
export async function readFiles(
  names: readonly string[],
  options: { readonly recursive?: boolean; readonly stdin?: NodeJS.ReadableStream } = {},
): Promise<ReadFiles> {
  const inputs: Input[] = []
  const problems: Problem[] = []
  for (const name of names) {
    try {
      if (name === '-') {
        inputs.push({ name, text: options.stdin === undefined ? '' : await readAll(options.stdin) })
      } else if ((await stat(name)).isDirectory()) {
        const files = await filesOf(name, options.recursive === true)
        if (files.length === 0) problems.push(emptyDirectory(name))
        for (const file of files) await readInto(file, true, inputs, problems)
      } else {
        await readInto(name, false, inputs, problems)
      }
    } catch (error) {
      problems.push(unreadable(name, error))
    }
  }
  return { inputs, problems }
}

async function readInto(name: string, found: boolean, inputs: Input[], problems: Problem[]): Promise<void> {
  try {
    if ((await stat(name)).size > TEXT_BYTES_MAX) {
      problems.push(tooLarge(name))
      return
    }
    const bytes = await readFile(name)
    inputs.push({ name, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), found })
  } catch (error) {
    problems.push(unreadable(name, error))
  }
}

async function filesOf(directory: string, recursive: boolean): Promise<readonly string[]> {
  const names: string[] = []
  for (const entry of (await readdir(directory, { withFileTypes: true })).toSorted(byName)) {
    if (names.length >= FILES_MAX) break
    const path = join(directory, entry.name)
    if (recursive && entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules') {
      names.push(...(await filesOf(path, true)))
    } else if (!entry.isDirectory() && /\.(?:ya?ml|json)$/.test(entry.name) && !entry.name.startsWith('.')) {
      names.push(path)
    }
  }
  return names
}

/** By code unit, so that the order is the same on every machine. */
function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

function emptyDirectory(name: string): Problem {
  return {
    code: 'NO_DOCUMENT',
    severity: 'error',
    path: [],
    message: 'there is no .yaml, .yml or .json file in this directory',
    fix: 'name the files, or a directory that holds them; --recursive looks below it',
    at: { file: name, line: 1, column: 1 },
  }
}

function unreadable(name: string, error: unknown): Problem {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const [message, fix] = SYSTEM[code] ?? ['the file could not be read', 'check the path and its permissions']
  return {
    code: code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'FILE_NOT_TEXT' : 'FILE_UNREADABLE',
    severity: 'error',
    path: [],
    message,
    fix,
    at: { file: name, line: 1, column: 1 },
  }
}

const SYSTEM: Readonly<Record<string, readonly [message: string, fix: string]>> = {
  ENOENT: ['there is no such file or directory', 'check the path'],
  EACCES: ['this user may not read the file', 'change its permissions'],
  EISDIR: ['this is a directory', 'name the directory itself'],
  ERR_ENCODING_INVALID_ENCODED_DATA: ['the file is not UTF-8 text', 'save it as UTF-8'],
}
