/** Sends signed events to a hook as fast as they are taken: `node webhook-client.ts URL COUNT CLIENTS KEY`. */
import { createHmac } from 'node:crypto'
import { Pool } from 'undici'

const [address = '', count = '0', clients = '1', key = ''] = process.argv.slice(2)
const { origin, pathname } = new URL(address)
const pool = new Pool(origin, { connections: Number(clients), pipelining: 1 })
const times: number[] = []
let next = 0
let refused = 0

async function client(): Promise<void> {
  while (next < Number(count)) {
    next += 1
    const body = JSON.stringify({ number: next, process: process.pid, kind: 'push', ref: 'refs/heads/main' })
    const signature = createHmac('sha256', key).update(body).digest('hex')
    const began = performance.now()
    const answer = await pool.request({
      path: pathname,
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` },
    })
    await answer.body.dump()
    times.push(performance.now() - began)
    if (answer.statusCode !== 202) refused += 1
  }
}

const began = performance.now()
await Promise.all(Array.from({ length: Number(clients) }, client))
const ms = performance.now() - began
await pool.close()
times.sort((a, b) => a - b)
const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0
console.log(JSON.stringify({ ms, refused, p50: at(0.5), p99: at(0.99) }))
