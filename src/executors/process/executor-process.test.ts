import { executorContract } from '../../../test/contracts/executor.ts'
import { processPlace } from '../../../test/contracts/process-place.ts'

executorContract('process executor', async () => processPlace())
