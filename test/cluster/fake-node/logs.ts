import type { ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { lifeOfContainer } from './life.ts'
import type { FakePod } from './pod.ts'

export interface Certificate {
  readonly cert: string
  readonly key: string
}

const LOOK_MS = 20

/** Serves the logs of the fake node's containers in the way of a kubelet: the API server fetches them there. */
export async function serveLogs(
  certificate: Certificate,
  find: (namespace: string, name: string) => FakePod | undefined,
): Promise<{ readonly port: number; close(): void }> {
  const server = createServer({ ...certificate }, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://node')
    const [, kind, namespace = '', name = '', container = ''] = pathname.split('/')
    const pod = kind === 'containerLogs' ? find(namespace, name) : undefined
    if (pod === undefined) response.writeHead(404).end(`pod "${name}" not found\n`)
    else void answer(pod, container, searchParams, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function answer(
  pod: FakePod,
  container: string,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const stage = pod.stageOf(container)
  const { name } = pod.object.metadata
  if (stage === undefined || stage.kind === 'waiting') {
    const why = `container "${container}" in pod "${name}" is waiting to start: ContainerCreating\n`
    response.writeHead(400).end(why)
    return
  }
  if (query.get('previous') === 'true') {
    response.writeHead(400).end(`previous terminated container "${container}" in pod "${name}" not found\n`)
    return
  }
  response.writeHead(200, { 'content-type': 'text/plain' })
  const { log = '' } = lifeOfContainer(pod.object, pod.life, container)
  response.write(wantedLines(log, Date.parse(stage.startedAt), query))
  const isFollowed = query.get('follow') === 'true'
  while (isFollowed && !pod.isSilent(container) && !response.destroyed) await delay(LOOK_MS)
  response.end()
}

/** Every line was said when the container started, a nanosecond after the one before it. */
function wantedLines(log: string, saidAt: number, query: URLSearchParams): string {
  const second = new Date(saidAt).toISOString().slice(0, 19)
  const since = query.get('sinceTime')
  const isTooOld = since !== null && saidAt < Date.parse(`${since.slice(0, 19)}Z`)
  const lines = (isTooOld ? null : log.match(/[^\n]*\n|[^\n]+$/gu)) ?? []
  const stamped = lines.map((line, index) => `${second}.${String(index).padStart(9, '0')}Z ${line}`)
  const shown = query.get('timestamps') === 'true' ? stamped : lines
  const tail = Math.min(shown.length, Number(query.get('tailLines') ?? shown.length))
  const text = shown.slice(shown.length - tail).join('')
  const limit = query.get('limitBytes')
  return limit === null ? text : Buffer.from(text).subarray(0, Number(limit)).toString('utf8')
}
