import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ended, type Place, type Started, place, until } from '../cli/program.ts'

/** A `kontroler dev` over a place, and the program as somebody uses it from elsewhere. */
export interface Served {
  readonly place: Place
  /** Address of the server that runs now. */
  readonly url: string
  readonly tokenFile: string
  readonly dev: Started
  /** A command about the state directory. */
  here(...words: readonly string[]): Promise<Ended>
  /** The same about the server. */
  there(...words: readonly string[]): Promise<Ended>
  startThere(...words: readonly string[]): Started
  /** `kill -9` of the server; whoever it runs lives on. */
  kill(): Promise<void>
  /** Starts it again where it was. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** @param prepare  Called before the server starts. */
export async function served(prepare: (at: Place) => Promise<void> = async () => undefined): Promise<Served> {
  const at = await place()
  await prepare(at)
  const config = join(at.folder, 'config')
  const tokenFile = join(at.state, 'api-token')
  const env = { XDG_CONFIG_HOME: config, KONTROLER_EXECUTOR: 'process' }
  let port = '0'
  let dev = at.start(['dev', join(at.folder, 'dags'), '--port', port], { env })
  const addressOf = (): string => /API on (http:\S+);/.exec(dev.output())?.[1] ?? ''
  await until(() => addressOf() !== '' || dev.child.exitCode !== null)
  const url = addressOf()
  port = new URL(url).port
  const startThere = (...words: readonly string[]): Started =>
    at.start(['--server', url, ...words], { env: { ...env, KONTROLER_TOKEN_FILE: tokenFile } })
  return {
    place: at,
    url,
    tokenFile,
    get dev() {
      return dev
    },
    here: (...words) => at.start(words, { env }).ended,
    startThere,
    there: (...words) => startThere(...words).ended,
    async kill() {
      dev.child.kill('SIGKILL')
      await dev.ended
    },
    async restart() {
      dev = at.start(['dev', join(at.folder, 'dags'), '--port', port], { env })
      await until(() => addressOf() !== '' || dev.child.exitCode !== null)
    },
    async close() {
      dev.child.kill('SIGTERM')
      await dev.ended
      await at.remove()
    },
  }
}

export const tokenOf = ({ tokenFile }: Served): string => readFileSync(tokenFile, 'utf8').trim()

/** Times, lengths and names that each run has of its own, made the same. */
export function plain(text: string): string {
  return text
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?Z?)?/g, 'MOMENT')
    .replace(/\b\d\d:\d\d:\d\d\b/g, 'CLOCK')
    .replace(/\b(?:\d+(?:\.\d+)?(?:ms|s|m|h) ?)+/g, 'LENGTH ')
    .replace(/\b(?:just now|now)\b/g, 'LENGTH')
    .replace(/LENGTH +ago/g, 'LENGTH')
    .replace(/"durationMs": \d+/g, '"durationMs": 0')
    .replace(/-(?:[a-z2-9]{5})\b(?= |\n|\)|$|:|,)/g, '-NAME')
    .replace(/[ \t]+/g, ' ')
}
