import { podLogsSuite } from './pod-logs.ts'

podLogsSuite('files', async () => null)
