import type { Migration } from '../migration.ts'
import { postgresGuards, sqliteGuards } from './0001-guards.ts'

/** Runs with their logs and rows, DAG versions, engines, schedules and the feed. */
export const first: Migration = {
  number: 1,
  name: 'first',
  sql: {
    sqlite: [...runTables(), ...houseTables(), ...sqliteGuards()],
    postgres: [
      ...[...runTables(), ...houseTables()].map(asPostgres),
      ...postgresTables(),
      ...postgresGuards(),
    ],
  },
  checksums: {
    sqlite: 'b58a62d162da81480ab4b0b9d58cc51696e5a5d3a2d081f52d2da6fce11fb7b4',
    postgres: '3d155fef7f33d529b02267d57f696c39c2ecb332818cfd37599b187c01833928',
  },
}

/**
 * Text is ordered by its bytes, as in SQLite, whatever language the database is set to: pages and prefixes rest
 * on it.
 */
export function asPostgres(statement: string): string {
  return statement.replace(/\) WITHOUT ROWID$/, ')').replaceAll(/\bTEXT\b/g, 'TEXT COLLATE "C"')
}

/**
 * What only several machines need. Every write transaction counts up `change`, so that whoever polls sees it, and
 * leaves its number with its writer, so that a writer that lost the answer to its commit can ask.
 */
function postgresTables(): string[] {
  return [
    `INSERT INTO counter (name, value) VALUES ('change', 0)`,
    `CREATE TABLE writer (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  number BIGINT NOT NULL,
  at TIMESTAMPTZ NOT NULL DEFAULT now()
)`,
  ]
}

/**
 * Every index for pages of runs leads with what they are filtered by and then the phase: a page reads one stream
 * per phase in order of time and merges them, so one index serves both "all" and "those that failed".
 */
function runTables(): string[] {
  return [
    `CREATE TABLE run (
  id TEXT NOT NULL PRIMARY KEY,
  namespace TEXT NOT NULL,
  dag TEXT NOT NULL,
  dag_hash TEXT NOT NULL,
  name TEXT NOT NULL,
  phase TEXT NOT NULL CHECK (phase IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')),
  reason TEXT,
  message TEXT NOT NULL,
  cause TEXT NOT NULL,
  labels TEXT NOT NULL,
  parent_run TEXT,
  continues TEXT,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  ended_at BIGINT,
  tasks_done INTEGER NOT NULL,
  tasks_total INTEGER NOT NULL,
  version BIGINT NOT NULL CHECK (version > 0),
  owner TEXT
)`,
    'CREATE INDEX run_phase ON run (phase, created_at, id)',
    'CREATE INDEX run_namespace ON run (namespace, phase, created_at, id)',
    'CREATE INDEX run_dag ON run (dag, phase, created_at, id)',
    'CREATE INDEX run_namespace_dag ON run (namespace, dag, phase, created_at, id)',
    'CREATE INDEX run_parent ON run (parent_run, phase, created_at, id) WHERE parent_run IS NOT NULL',
    'CREATE INDEX run_name ON run (name, created_at, id)',
    `CREATE INDEX run_unsettled ON run (created_at, id) WHERE phase IN ('queued', 'running', 'paused')`,
    `CREATE TABLE run_label (
  run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  phase TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  namespace TEXT NOT NULL,
  dag TEXT NOT NULL,
  PRIMARY KEY (run, key)
) WITHOUT ROWID`,
    'CREATE INDEX run_label_page ON run_label (key, value, phase, created_at, run, namespace, dag)',
    `CREATE TABLE trigger_key (
  namespace TEXT NOT NULL,
  dag TEXT NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  run TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (namespace, dag, kind, key)
) WITHOUT ROWID`,
    `CREATE TABLE event (
  run TEXT NOT NULL,
  seq BIGINT NOT NULL CHECK (seq > 0),
  body TEXT NOT NULL,
  PRIMARY KEY (run, seq)
)`,
    `CREATE TABLE task (
  run TEXT NOT NULL,
  idx BIGINT NOT NULL,
  task TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  message TEXT,
  attempts INTEGER NOT NULL,
  exit_code INTEGER,
  started_at BIGINT,
  ended_at BIGINT,
  PRIMARY KEY (run, idx)
) WITHOUT ROWID`,
    'CREATE INDEX task_state ON task (run, state, idx)',
    `CREATE TABLE attempt (
  run TEXT NOT NULL,
  task TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  phase TEXT NOT NULL,
  pool TEXT,
  started_at BIGINT NOT NULL,
  running_at BIGINT,
  ended_at BIGINT,
  outcome TEXT,
  reason TEXT,
  exit_code INTEGER,
  message TEXT,
  handle TEXT NOT NULL,
  PRIMARY KEY (run, task, attempt)
) WITHOUT ROWID`,
    `CREATE INDEX attempt_pool ON attempt (pool) WHERE pool IS NOT NULL AND phase <> 'ended'`,
  ]
}

function houseTables(): string[] {
  return [
    `CREATE TABLE feed (
  seq BIGINT NOT NULL PRIMARY KEY,
  run TEXT NOT NULL,
  version BIGINT NOT NULL
) WITHOUT ROWID`,
    'CREATE INDEX feed_run ON feed (run)',
    'CREATE TABLE counter (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL) WITHOUT ROWID',
    `INSERT INTO counter (name, value) VALUES ('feed', 0)`,
    'CREATE TABLE removed_run (run TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID',
    `CREATE TABLE dag (
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  current_version INTEGER NOT NULL,
  suspended INTEGER NOT NULL CHECK (suspended IN (0, 1)),
  removed_at BIGINT,
  PRIMARY KEY (namespace, name)
)`,
    `CREATE TABLE dag_version (
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  hash TEXT NOT NULL,
  body TEXT NOT NULL,
  source TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (namespace, name, version),
  UNIQUE (hash, namespace, name),
  FOREIGN KEY (namespace, name) REFERENCES dag (namespace, name)
)`,
    `CREATE TABLE dag_task (
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  hash TEXT NOT NULL,
  spec TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (namespace, name, version),
  UNIQUE (namespace, name, hash)
)`,
    `CREATE TABLE engine (
  id TEXT NOT NULL PRIMARY KEY,
  pid BIGINT NOT NULL,
  process_start TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  host TEXT NOT NULL,
  seen_at BIGINT NOT NULL
)`,
    `CREATE TABLE schedule (
  namespace TEXT NOT NULL,
  dag TEXT NOT NULL,
  high_water BIGINT NOT NULL,
  PRIMARY KEY (namespace, dag)
) WITHOUT ROWID`,
    `CREATE TABLE skip (
  namespace TEXT NOT NULL,
  dag TEXT NOT NULL,
  from_at BIGINT NOT NULL,
  to_at BIGINT NOT NULL,
  count BIGINT NOT NULL,
  reason TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (namespace, dag, to_at, from_at, reason)
) WITHOUT ROWID`,
  ]
}
