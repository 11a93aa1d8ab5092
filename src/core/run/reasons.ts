/**
 * The closed list of answers to "why is it waiting" and "why did it end so". One sentence and one next step each,
 * the same in CLI, API, UI and status. `{…}` is filled by `explain`.
 */
export const REASONS = {
  // not started yet
  WAITING_FOR_TASKS: ['waits for {tasks}', 'nothing to do: it starts when they have settled'],
  RUN_QUEUED: ['the run waits for {run}, as its DAG runs one at a time', 'wait, or cancel the other run'],
  RUN_PAUSED: ['the run is paused; nothing new starts', 'kontroler resume {id}'],
  ENGINE_GONE: ['no engine drives this run any more; its engine was killed or left', 'kontroler resume {id}'],
  WAITING_FOR_APPROVAL: ['waits for a person: {text}', 'kontroler approve {id} {task}'],
  WAITING_FOR_RUN_SLOT: [
    'waits for a slot of the run ({used} of {limit} in use)',
    'raise spec.maxParallelTasks',
  ],
  WAITING_FOR_GROUP_SLOT: ['waits for a slot of its fan-out ({used} of {limit} in use)', 'raise maxParallel'],
  WAITING_FOR_POOL: [
    'waits for a slot of pool {pool} ({used} of {limit} in use)',
    'raise it with --pool {pool}=N',
  ],
  WAITING_FOR_ENGINE_SLOT: [
    'waits for a slot of this engine ({used} of {limit} in use)',
    'raise --max-parallel',
  ],
  WAITING_FOR_BACKOFF: [
    'failed and is retried later: {text}',
    'nothing to do, or fix the task and run again',
  ],
  WAITING_FOR_DECISION: ['its outcome is unknown and onLost is wait', 'kontroler cancel {id}, then retry'],
  WAITING_FOR_FINALLY: [
    'runs at the end of the run',
    'nothing to do: it starts when the other tasks have settled',
  ],
  STARTING: ['is being started', 'nothing to do'],
  RUNNING: ['is running', 'kontroler logs -f {id} --task {task}'],
  STOPPING: ['is being stopped: {text}', 'nothing to do; it is killed when its time is up'],
  // succeeded
  SUCCEEDED: ['succeeded', 'nothing to do'],
  REUSED: ['its result was taken over from run {run}', 'nothing to do'],
  EMPTY_FAN_OUT: ['its list was empty, so there was nothing to do', 'nothing to do'],
  APPROVED: ['approved by {by}', 'nothing to do'],
  // skipped
  CONDITION_FALSE: ['skipped: when is false ({text})', 'nothing to do'],
  DEPENDENCY_SKIPPED: ['skipped: {tasks} was skipped', 'use triggerRule: noneFailed to run all the same'],
  TRIGGER_RULE_UNMET: ['skipped: its trigger rule {text} was not met', 'nothing to do'],
  // failed
  EXIT_CODE: ['exited with code {code}', 'kontroler logs {id} --task {task}'],
  KILLED_BY_SIGNAL: [
    'was ended by {signal}',
    'find out who sent it; the kernel sends SIGKILL when memory runs out',
  ],
  OOM_KILLED: ['used more memory than its limit', 'raise resources.limits.memory'],
  TIMED_OUT: ['ran longer than its timeout', 'raise timeout, or make the task faster'],
  PENDING_TIMED_OUT: [
    'did not start within its pendingTimeout',
    'raise pendingTimeout, or see what holds it back',
  ],
  DISRUPTED: ['was ended from outside: {text}', 'kontroler retry {id}'],
  IMAGE_ERROR: ['its image could not be had: {text}', 'check the image name and the registry'],
  SECRET_MISSING: ['{text}', 'create the Secret, or give it with --secret NAME/KEY=value'],
  CONFIG_MISSING: ['{text}', 'create the ConfigMap beside the DAG'],
  COMMAND_NOT_FOUND: ['{text}', 'install the command, or correct its name'],
  NOT_EXECUTABLE: ['{text}', 'check the #! line and the permission of the file'],
  CONFIG_ERROR: ['could not be set up: {text}', 'correct the task'],
  OUTPUT_INVALID: ['its outputs were not understood: {text}', 'write lines of the form name=value'],
  OUTPUT_TOO_LARGE: [
    'its outputs are larger than 4096 bytes',
    'pass large data through the workspace or a store',
  ],
  LOST: ['its outcome is unknown: {text}', 'kontroler retry {id}'],
  START_ERROR: ['could not be started: {text}', 'kontroler retry {id}'],
  EXPRESSION_ERROR: ['{text}', 'correct the expression'],
  FAN_OUT_INVALID: ['{text}', 'correct forEach'],
  FAN_OUT_FAILED: ['{text}', 'see the failed items'],
  CHILD_RUN_FAILED: ['the run it started did not succeed: {text}', 'kontroler explain {run}'],
  APPROVAL_REJECTED: ['rejected by {by}', 'kontroler retry {id}'],
  APPROVAL_TIMED_OUT: ['nobody answered in time', 'kontroler retry {id}'],
  UPSTREAM_FAILED: ['did not run because {tasks} failed', 'fix the failure, then kontroler retry {id}'],
  // cancelled
  CANCELLED: ['cancelled by {by}', 'kontroler retry {id}'],
  FAIL_FAST: [
    'stopped because another task failed and failFast is on',
    'fix the failure, then kontroler retry {id}',
  ],
  RUN_TIMED_OUT: ['the run took longer than its timeout', 'raise spec.timeout'],
  REPLACED: ['a newer run took its place (concurrencyPolicy: Replace)', 'nothing to do'],
  // whole runs
  RUN_FAILED: ['{text}', 'kontroler retry {id}'],
  INTERNAL_ERROR: [
    'the engine met a bug of its own and stopped this run: {text}',
    'report it, with the run’s events',
  ],
} as const satisfies Record<string, readonly [sentence: string, next: string]>

export type ReasonCode = keyof typeof REASONS
