import { containerRules } from './container/only.ts'

containerRules('docker')
