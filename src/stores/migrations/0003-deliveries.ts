import type { Migration } from '../migration.ts'

/**
 * Messages to receivers: an outbox that is filled from the feed. What was in the feed before is nobody's news any more.
 * A run has one line, which is taken as a whole: so its messages go one after the other.
 */
const statements = [
  `CREATE TABLE subscriber (
  name TEXT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL
)`,
  `INSERT INTO subscriber (name, position) SELECT 'webhook', value FROM counter WHERE name = 'feed'`,
  `CREATE TABLE delivery_line (
  run TEXT NOT NULL PRIMARY KEY,
  host TEXT NOT NULL,
  last BIGINT NOT NULL,
  next_at BIGINT,
  claim TEXT,
  gone INTEGER NOT NULL
)`,
  'CREATE INDEX delivery_line_due ON delivery_line (host, next_at, run) WHERE next_at IS NOT NULL',
  `CREATE TABLE delivery (
  run TEXT NOT NULL,
  number BIGINT NOT NULL,
  namespace TEXT NOT NULL,
  dag TEXT NOT NULL,
  event TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'gone')),
  attempts BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  since BIGINT NOT NULL,
  settled_at BIGINT,
  log TEXT NOT NULL,
  PRIMARY KEY (run, number)
)`,
  'CREATE INDEX delivery_dag ON delivery (namespace, dag, created_at, run, number)',
  `CREATE INDEX delivery_waiting ON delivery (run, number) WHERE state = 'waiting'`,
] as const

export const deliveries: Migration = {
  number: 3,
  name: 'deliveries',
  sql: {
    sqlite: statements,
    // Text is ordered by its bytes, as in SQLite.
    postgres: statements.map(statement => statement.replaceAll(/\bTEXT\b/g, 'TEXT COLLATE "C"')),
  },
  checksums: {
    sqlite: '8080e89599ab9836262ac4ce073fdbcf29eda96b6b2aeaf4f5de2e1d22039942',
    postgres: '02833c9a2407f812204dfc220b9e0c8b70e0fb019bf8edcedc04a681abe24b63',
  },
}
