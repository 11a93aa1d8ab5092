import type * as z from 'zod'
import { dagDocument, dagObjectRules } from './schema/dag.ts'
import { dagRunDocument, dagRunRules } from './schema/dag-run.ts'
import { dagTaskDocument } from './schema/dag-task.ts'
import { dagRunStatus, dagStatus, dagTaskStatus } from './schema/status.ts'

/** A kind of document, and how it shows in a cluster. */
export interface Kind {
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortName: string
  readonly description: string
  readonly document: z.ZodType
  readonly status: z.ZodType
  /** CEL rules of the object as a whole; those of its parts stand at the parts. */
  readonly rules: readonly Rule[]
  readonly columns: readonly Column[]
}

/** A CEL rule that the API server holds an object to. */
export interface Rule {
  readonly rule: string
  readonly message: string
}

/** A column of `kubectl get`. */
export interface Column {
  readonly name: string
  readonly type: 'string' | 'integer' | 'boolean' | 'date'
  readonly jsonPath: string
  readonly description: string
  /** Above 0: only with `-o wide`. */
  readonly priority?: number
}

const age: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since it was made.',
}

const READY = '.status.conditions[?(@.type=="Ready")].status'

const column = (
  name: string,
  type: Column['type'],
  jsonPath: string,
  description: string,
  priority?: number,
): Column => ({ name, type, jsonPath, description, ...(priority === undefined ? {} : { priority }) })

export const KINDS: readonly Kind[] = [
  {
    kind: 'DAG',
    plural: 'dags',
    singular: 'dag',
    shortName: 'dag',
    description: 'A workflow: tasks, what waits for what, and when it runs.',
    document: dagDocument,
    status: dagStatus,
    rules: dagObjectRules,
    columns: [
      column('Schedule', 'string', '.status.schedule', 'When it runs, in words.'),
      column('Suspended', 'boolean', '.spec.suspended', 'Whether scheduled starts are held back.'),
      column('Ready', 'string', READY, 'Whether its present text is in force.'),
      column('Active', 'integer', '.status.activeRuns', 'Runs that have not ended.'),
      column('Last', 'string', '.status.lastRunPhase', 'How far the newest run is.'),
      // kubectl shows the time since a date, and cannot show the time until one.
      column('Next', 'string', '.status.nextScheduleTime', 'Next tick.'),
      column('Last Run', 'date', '.status.lastRunTime', 'When the newest run was made.', 1),
      column('Version', 'integer', '.status.version', 'Version in force.', 1),
      column('Message', 'string', '.status.message', 'What is wrong.', 1),
      age,
    ],
  },
  {
    kind: 'DagRun',
    plural: 'dagruns',
    singular: 'dagrun',
    shortName: 'dr',
    description: 'One run of a DAG.',
    document: dagRunDocument,
    status: dagRunStatus,
    rules: dagRunRules,
    columns: [
      column('DAG', 'string', '.spec.dagName', 'What runs.'),
      column('Phase', 'string', '.status.phase', 'How far it is.'),
      column('Progress', 'string', '.status.progress', 'Settled tasks and all tasks.'),
      column('Started', 'date', '.status.startTime', 'When it started.'),
      column('Duration', 'string', '.status.duration', 'How long it took.'),
      column('Completed', 'date', '.status.completionTime', 'When it ended.', 1),
      column('Run', 'string', '.status.runId', 'Id of the run.', 1),
      column('Message', 'string', '.status.message', 'Why it waits, or what went wrong.', 1),
      age,
    ],
  },
  {
    kind: 'DagTask',
    plural: 'dagtasks',
    singular: 'dagtask',
    shortName: 'dt',
    description: 'A reusable task; its versions are numbered by content.',
    document: dagTaskDocument,
    status: dagTaskStatus,
    rules: [],
    columns: [
      column('Version', 'integer', '.status.version', 'Number of its present text.'),
      column('Ready', 'string', READY, 'Whether its present text can be used.'),
      column('Image', 'string', '.spec.image', 'What runs.'),
      column('Message', 'string', '.status.message', 'What is wrong.', 1),
      age,
    ],
  },
]
