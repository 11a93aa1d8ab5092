import type * as z from 'zod'
import { dagDocument } from './schema/dag.ts'
import { dagRunDocument } from './schema/dag-run.ts'
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
  readonly columns: readonly Column[]
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
    columns: [
      column('Schedule', 'string', '.spec.schedule', 'When it runs.'),
      column('Suspended', 'boolean', '.spec.suspended', 'Whether scheduled starts are held back.'),
      column('Phase', 'string', '.status.phase', 'Whether it was accepted.'),
      column('Next', 'date', '.status.nextScheduleTime', 'Next tick.', 1),
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
    columns: [
      column('DAG', 'string', '.spec.dagName', 'What runs.'),
      column('Phase', 'string', '.status.phase', 'How far it is.'),
      column('Progress', 'string', '.status.progress', 'Settled tasks and all tasks.'),
      column('Started', 'date', '.status.startTime', 'When it started.'),
      column('Completed', 'date', '.status.completionTime', 'When it ended.'),
      column('Message', 'string', '.status.message', 'What went wrong.', 1),
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
    columns: [
      column('Version', 'integer', '.status.version', 'Newest version.'),
      column('Image', 'string', '.spec.image', 'What runs.'),
      age,
    ],
  },
]
