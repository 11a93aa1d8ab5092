import { Worker } from 'node:worker_threads'
import { RequestProblem } from './problem.ts'
import { type Read, type Reading, readDocument } from './read-document.ts'
import { Turns } from './turns.ts'

/** Longer texts are read in a thread of their own: this much takes some 20 ms, and a megabyte more than a second. */
const INLINE_CHARACTERS_MAX = 32_768
const TIME_MS_MAX = 10_000
const MEMORY_MB_MAX = 512
/** Beside its source, or beside the bundle. */
const WORKER = new URL(`./document-worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'cjs'}`, import.meta.url)

/** One at a time: a machine has other things to do than to read. */
const turns = new Turns(1)

/** @throws {RequestProblem} `BODY_TOO_LARGE` it takes too long, or more memory than there is for it. */
export async function readInTime(reading: Reading): Promise<Read> {
  if (reading.text.length <= INLINE_CHARACTERS_MAX) return readDocument(reading)
  return await turns.take(() => inWorker(reading))
}

async function inWorker(reading: Reading): Promise<Read> {
  const worker = new Worker(WORKER, {
    workerData: reading,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB_MAX },
  })
  const timer = setTimeout(() => void worker.terminate(), TIME_MS_MAX)
  try {
    return await new Promise<Read>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', error =>
        reject('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooLarge() : error),
      )
      worker.once('exit', () => reject(tooLarge()))
    })
  } finally {
    clearTimeout(timer)
    await worker.terminate()
  }
}

function tooLarge(): RequestProblem {
  return new RequestProblem('BODY_TOO_LARGE', 'the document takes too long to read', 'split it into several')
}
