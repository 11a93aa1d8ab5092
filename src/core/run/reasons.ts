/**
 * The closed list of answers to "why is it waiting" and "why did it end so". One sentence and one next step each,
 * the same in CLI, API, UI and status. The sentence goes on after the name of the task (or run) it is about; `{…}` is
 * filled by `explain`, and `: {text}` falls away when there is nothing to say.
 */
export const REASONS = {
  // not started yet
  WAITING_FOR_TASKS: ['waits for {tasks}', 'nothing to do: it starts when they have settled'],
  RUN_QUEUED: ['waits for {run}, as its DAG runs one at a time', 'wait, or cancel the other run'],
  RUN_PAUSED: ['is paused and starts nothing new', 'kontroler resume {id}'],
  ENGINE_GONE: ['is driven by no engine any more: its engine was killed or left', 'kontroler resume {id}'],
  WAITING_FOR_APPROVAL: ['waits for a person: {text}', 'kontroler approve {id} {task}'],
  WAITING_FOR_RUN_SLOT: [
    'waits for a slot of its run ({used} of {limit} in use)',
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
  WAITING_FOR_BACKOFF: ['is tried again later: {text}', 'nothing to do, or fix the task and run again'],
  WAITING_FOR_DECISION: [
    'waits for a decision, as its outcome is unknown and onLost is wait: {text}',
    'kontroler cancel {id}, then kontroler retry {id}',
  ],
  WAITING_FOR_FINALLY: [
    'runs at the end of the run',
    'nothing to do: it starts when the other tasks have settled',
  ],
  STARTING: ['is being started: {text}', 'nothing to do'],
  UNSCHEDULABLE: ['waits for a node: {text}', 'make room, or change resources, nodeSelector or tolerations'],
  VOLUME_PENDING: [
    'waits for a volume: {text}',
    'kubectl describe its claim: is there a class, a node, room?',
  ],
  IMAGE_PULL: ['waits for its image: {text}', 'check the image name and imagePullSecrets'],
  CONTAINER_CONFIG: [
    'waits for what its container is made of: {text}',
    'create the Secret or ConfigMap that is named',
  ],
  QUOTA_EXCEEDED: [
    'waits for room in the quota of its namespace: {text}',
    'wait, or raise the ResourceQuota',
  ],
  RUNNING: ['is running: {text}', 'kontroler logs -f {id} --task {task}'],
  STOPPING: ['is being stopped: {text}', 'nothing to do: it is killed when its time is up'],
  // succeeded
  SUCCEEDED: ['succeeded', 'nothing to do'],
  REUSED: ['took its result over from run {run}', 'nothing to do'],
  EMPTY_FAN_OUT: ['had nothing to do, as its list was empty', 'nothing to do'],
  APPROVED: ['was approved {text}', 'nothing to do'],
  // skipped
  CONDITION_FALSE: ['was skipped, as its condition is false: {text}', 'nothing to do'],
  DEPENDENCY_SKIPPED: ['was skipped because {text}', 'use triggerRule: noneFailed to run all the same'],
  TRIGGER_RULE_UNMET: ['was skipped, as its trigger rule was not met: {text}', 'nothing to do'],
  // failed
  EXIT_CODE: ['exited with code {code}', 'kontroler logs {id} --task {task}'],
  KILLED_BY_SIGNAL: [
    'was ended by {signal}',
    'find out who sent it: the kernel sends SIGKILL when memory runs out',
  ],
  OOM_KILLED: ['used more memory than its limit', 'raise resources.limits.memory'],
  TIMED_OUT: ['ran longer than its timeout', 'raise timeout, or make the task faster'],
  PENDING_TIMED_OUT: [
    'did not start within its pendingTimeout: {text}',
    'raise pendingTimeout, or see what holds it back',
  ],
  DISRUPTED: ['was ended from outside: {text}', 'kontroler retry {id}'],
  EVICTED: ['was evicted by its node: {text}', 'set resources.requests, or give the node more room'],
  PREEMPTED: ['made way for a pod of higher priority: {text}', 'give it a priorityClassName of its own'],
  DRAINED: ['was evicted when somebody drained its node: {text}', 'kontroler retry {id}'],
  POD_DELETED: ['lost its pod, which somebody deleted: {text}', 'find out who, then kontroler retry {id}'],
  NODE_LOST: ['was on a node that is gone: {text}', 'kontroler retry {id}'],
  INIT_FAILED: ['did not get past its init containers: {text}', 'kontroler logs {id} --task {task}'],
  POLICY_DENIED: [
    'is not allowed by a policy of the cluster: {text}',
    'change podTemplate, or set podSecurity',
  ],
  IMAGE_ERROR: ['could not get its image: {text}', 'check the image name and the registry'],
  SECRET_MISSING: [
    'needs a Secret that is not there: {text}',
    'create the Secret, or give it with --secret NAME/KEY=value',
  ],
  CONFIG_MISSING: ['needs a ConfigMap that is not there: {text}', 'create the ConfigMap beside the DAG'],
  COMMAND_NOT_FOUND: [
    'names a command that is not there: {text}',
    'install the command, or correct its name',
  ],
  NOT_EXECUTABLE: [
    'names a file that cannot be executed: {text}',
    'check the #! line and the permission of the file',
  ],
  CONFIG_ERROR: ['could not be set up: {text}', 'correct the task'],
  OUTPUT_INVALID: ['wrote outputs that were not understood: {text}', 'write lines of the form name=value'],
  OUTPUT_TOO_LARGE: [
    'wrote outputs that are too large: {text}',
    'pass large data through the workspace or a store',
  ],
  LOST: ['has an unknown outcome: {text}', 'kontroler retry {id}'],
  START_ERROR: ['could not be started: {text}', 'kontroler retry {id}'],
  EXPRESSION_ERROR: ['has an expression that gave no value: {text}', 'correct the expression'],
  FAN_OUT_INVALID: ['could not be fanned out: {text}', 'correct forEach'],
  FAN_OUT_FAILED: ['failed, as {text}', 'see the failed items'],
  CHILD_RUN_FAILED: ['started a run that did not succeed: {text}', 'kontroler explain {run}'],
  APPROVAL_REJECTED: ['was rejected {text}', 'kontroler retry {id}'],
  APPROVAL_TIMED_OUT: ['was answered by nobody in time', 'kontroler retry {id}'],
  UPSTREAM_FAILED: ['did not run because {text}', 'fix the failure, then kontroler retry {id}'],
  // cancelled
  CANCELLED: ['was cancelled {text}', 'kontroler retry {id}'],
  FAIL_FAST: ['was stopped, as failFast is on and {text}', 'fix the failure, then kontroler retry {id}'],
  RUN_TIMED_OUT: ['was stopped, as the run took longer than its timeout', 'raise spec.timeout'],
  REPLACED: ['made way for a newer run (concurrencyPolicy: Replace)', 'nothing to do'],
  // whole runs
  RUN_FAILED: ['failed: {text}', 'kontroler retry {id}'],
  INTERNAL_ERROR: ['was stopped by a bug of the engine: {text}', 'report it, with the run’s events'],
} as const satisfies Record<string, readonly [sentence: string, next: string]>

export type ReasonCode = keyof typeof REASONS
