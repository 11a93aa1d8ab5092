import { examplesInContainers } from './container/examples.ts'

examplesInContainers(['docker', 'podman'])
