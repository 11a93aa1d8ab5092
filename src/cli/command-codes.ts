/** Codes of what stops a command, beside those of documents and of the store; stable like these. */
export const COMMAND_CODES = {
  BAD_OPTION: 'an option or argument is missing, unknown, or has a value that does not fit',
  UNKNOWN_COMMAND: 'there is no such command',
  NO_CONTAINER_ENGINE: 'the container engine that was asked for does not answer',
  RUN_EXISTS: 'another run has the name already',
  SECRET_NOT_GIVEN: 'a run cannot go on without a Secret that was given on the command line before',
  NO_STATE: 'there is no state in the directory; nothing has run there',
  STATE_NOT_WRITABLE: 'the state directory cannot be made or written',
  NOT_A_DIRECTORY: 'a directory is needed, and this is none',
  NO_DAG: 'the files hold no DAG',
  SEVERAL_DAGS: 'the files hold several DAGs, and none was chosen',
  ACTION_NOT_YET: 'a DagRun asks for a retry or fork; only the commands do that yet',
  AMBIGUOUS_RUN: 'a name or the beginning of one fits several runs',
  SEVERAL_WAIT: 'several approvals wait, and none was named',
  RUN_QUEUED: 'the run waits for another one of its DAG, which runs one at a time',
  NOT_ADOPTED: 'another process drives the run already',
  ENGINE_GONE: 'no engine drives the run any more',
} as const satisfies Readonly<Record<string, string>>

export type CommandCode = keyof typeof COMMAND_CODES
