import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { s3Program } from './programs.ts'

/** A real S3 server on a folder of its own: versitygw, built once into the cache. */
export interface S3Server {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  start(): Promise<void>
  stop(): Promise<void>
  /** From now on it takes requests and answers none, until {@link thaw}. */
  freeze(): void
  thaw(): void
  close(): Promise<void>
}

/** @param address  Where it listens: of the node, for pods to reach it. */
export async function startS3Server(address = '127.0.0.1'): Promise<S3Server> {
  const program = await s3Program()
  const folder = await mkdtemp(join(tmpdir(), 'kontroler-s3-'))
  const port = await freePort()
  const keys = { accessKeyId: 'kontroler', secretAccessKey: 'a secret of tests' }
  let child: ChildProcess | null = null
  const server: S3Server = {
    endpoint: `http://${address}:${port}`,
    ...keys,
    async start() {
      const environment = {
        ...process.env,
        ROOT_ACCESS_KEY_ID: keys.accessKeyId,
        ROOT_SECRET_ACCESS_KEY: keys.secretAccessKey,
      }
      const words = ['--quiet', '--port', `${address}:${port}`, 'posix', folder]
      child = spawn(program, words, { env: environment, stdio: ['ignore', 'ignore', 'inherit'] })
      await listening(address, port, child)
    },
    async stop() {
      const stopped = child
      child = null
      if (stopped === null || stopped.exitCode !== null) return
      const exit = once(stopped, 'exit')
      stopped.kill('SIGKILL')
      await exit
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async close() {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
  await server.start()
  return server
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function listening(address: string, port: number, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (child.exitCode !== null) throw new Error(`versitygw ended with ${child.exitCode}`)
    const socket = connect(port, address)
    const connected = once(socket, 'connect').then(
      () => true,
      () => false,
    )
    const open = await connected
    socket.destroy()
    if (open) return
    await sleep(25)
  }
  throw new Error('versitygw does not listen')
}
