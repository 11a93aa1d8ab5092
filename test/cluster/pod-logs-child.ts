import type { Intended } from '../../src/ports/executor.ts'
import { type EnginePlan, openEngine } from './pod-logs-house.ts'
import { clientOf, fullCluster } from './shared.ts'

/** An engine in a process of its own, to be killed: takes over an attempt and follows its log. */
const { plan, ref } = JSON.parse(process.argv[2] ?? '') as { plan: EnginePlan; ref: Intended }
const engine = await openEngine(clientOf(await fullCluster()), plan)
engine.logs.watch(ref)
await engine.executor.adopt(ref)
setInterval(() => undefined, 1_000_000)
