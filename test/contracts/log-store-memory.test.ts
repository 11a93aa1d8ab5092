import { logStoreContract } from './log-store.ts'
import { MemoryLogStore } from './memory-log-store.ts'

logStoreContract('memory, for tests of what writes logs', async () => {
  const store = new MemoryLogStore()
  return { store, again: async () => store.kill(), close: async () => undefined }
})
