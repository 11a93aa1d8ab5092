import { containerContract } from './container/contract.ts'

containerContract('podman')
