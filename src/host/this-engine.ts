import { hostname } from 'node:os'
import { LIMITS } from '../core/limits.ts'
import { bootId, isAlive, processStart } from '../executors/process/processes.ts'
import type { EngineProbe } from '../ports/notices.ts'
import type { EngineRow } from '../ports/store.ts'
import { systemClock, systemIdentity } from './clock.ts'

/** This process, as other engines are to know it. */
export function thisEngine(): EngineRow {
  const { pid } = process
  return {
    id: systemIdentity.id(),
    pid,
    processStart: processStart(pid),
    bootId: bootId(),
    host: hostname(),
    seenAt: systemClock.now(),
  }
}

/**
 * On this machine, or in this container, the process table knows who lives. Of engines elsewhere, with which only a
 * database is shared, one counts as dead when nothing was heard of it for a while.
 */
export const engineProbe: EngineProbe = {
  isAlive: engine =>
    engine.host === hostname()
      ? isAlive({ pid: engine.pid, started: engine.processStart, boot: engine.bootId }, bootId())
      : systemClock.now() - (engine.seenAt ?? 0) < LIMITS.engineSilenceMaxMs,
}
