/** Reads one text in a thread of its own, so that a long one holds up nobody but its sender. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Reading, readDocument } from './read-document.ts'

parentPort?.postMessage(readDocument(workerData as Reading))
