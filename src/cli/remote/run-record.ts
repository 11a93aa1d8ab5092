import type { Run } from '../../client/api-types.ts'
import type { Trigger } from '../../core/run/events.ts'
import type { ReasonCode } from '../../core/run/reasons.ts'
import type { RunRecord } from '../records.ts'

/** A run as a server tells it, in the form of those of this machine. */
export function recordOf({ durationMs: _, ...run }: Run): RunRecord {
  return {
    id: run.id,
    name: run.name,
    namespace: run.namespace,
    dag: run.dag,
    dagHash: run.dagHash,
    phase: run.phase,
    reason: run.reason as ReasonCode | null,
    message: run.message,
    interrupted: run.interrupted,
    tasksDone: run.tasksDone,
    tasksTotal: run.tasksTotal,
    createdAt: Date.parse(run.createdAt),
    startedAt: momentOf(run.startedAt),
    endedAt: momentOf(run.endedAt),
    trigger: triggerOf(run.trigger),
    labels: run.labels,
    parentRun: run.parentRun,
    continues: run.continues,
  }
}

function triggerOf(trigger: Run['trigger']): Trigger {
  return trigger.kind === 'schedule'
    ? { ...trigger, scheduledTime: Date.parse(trigger.scheduledTime) }
    : trigger
}

const momentOf = (text: string | null): number | null => (text === null ? null : Date.parse(text))
