CREATE TABLE schema_step (
  number INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at BIGINT NOT NULL
);
CREATE TABLE run (
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
);
CREATE INDEX run_phase ON run (phase, created_at, id);
CREATE INDEX run_namespace ON run (namespace, phase, created_at, id);
CREATE INDEX run_dag ON run (dag, phase, created_at, id);
CREATE INDEX run_namespace_dag ON run (namespace, dag, phase, created_at, id);
CREATE INDEX run_parent ON run (parent_run, phase, created_at, id) WHERE parent_run IS NOT NULL;
CREATE INDEX run_name ON run (name, created_at, id);
CREATE INDEX run_unsettled ON run (created_at, id) WHERE phase IN ('queued', 'running', 'paused');
CREATE TABLE run_label (
  run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  phase TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  namespace TEXT NOT NULL,
  dag TEXT NOT NULL,
  PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE INDEX run_label_page ON run_label (key, value, phase, created_at, run, namespace, dag);
CREATE TABLE trigger_key (
  namespace TEXT NOT NULL,
  dag TEXT NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  run TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (namespace, dag, kind, key)
) WITHOUT ROWID;
CREATE TABLE event (
  run TEXT NOT NULL,
  seq BIGINT NOT NULL CHECK (seq > 0),
  body TEXT NOT NULL,
  PRIMARY KEY (run, seq)
);
CREATE TABLE task (
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
) WITHOUT ROWID;
CREATE INDEX task_state ON task (run, state, idx);
CREATE TABLE attempt (
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
) WITHOUT ROWID;
CREATE INDEX attempt_pool ON attempt (pool) WHERE pool IS NOT NULL AND phase <> 'ended';
CREATE TABLE feed (
  seq BIGINT NOT NULL PRIMARY KEY,
  run TEXT NOT NULL,
  version BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX feed_run ON feed (run);
CREATE TABLE counter (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL) WITHOUT ROWID;
CREATE TABLE removed_run (run TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE dag (
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  current_version INTEGER NOT NULL,
  suspended INTEGER NOT NULL CHECK (suspended IN (0, 1)),
  removed_at BIGINT,
  PRIMARY KEY (namespace, name)
);
CREATE TABLE dag_version (
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
);
CREATE TABLE dag_task (
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  hash TEXT NOT NULL,
  spec TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (namespace, name, version),
  UNIQUE (namespace, name, hash)
);
CREATE TABLE engine (
  id TEXT NOT NULL PRIMARY KEY,
  pid BIGINT NOT NULL,
  process_start TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  host TEXT NOT NULL,
  seen_at BIGINT NOT NULL
);
CREATE TABLE schedule (
  namespace TEXT NOT NULL,
  dag TEXT NOT NULL,
  high_water BIGINT NOT NULL,
  PRIMARY KEY (namespace, dag)
) WITHOUT ROWID;
CREATE TABLE skip (
  namespace TEXT NOT NULL,
  dag TEXT NOT NULL,
  from_at BIGINT NOT NULL,
  to_at BIGINT NOT NULL,
  count BIGINT NOT NULL,
  reason TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (namespace, dag, to_at, from_at, reason)
) WITHOUT ROWID;
CREATE TABLE account (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  password TEXT,
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  created_at BIGINT NOT NULL,
  version BIGINT NOT NULL CHECK (version > 0)
);
CREATE TABLE role_grant (
  account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  namespace TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
  PRIMARY KEY (account, namespace)
) WITHOUT ROWID;
CREATE INDEX role_grant_admin ON role_grant (account) WHERE namespace = '*' AND role = 'admin';
CREATE TABLE identity (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;
CREATE INDEX identity_account ON identity (account);
CREATE TABLE session (
  hash TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  idle_ms BIGINT NOT NULL,
  ends_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_account ON session (account);
CREATE TABLE api_token (
  id TEXT NOT NULL PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  roles TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  used_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX api_token_account ON api_token (account, created_at);
CREATE TABLE setup_code (hash TEXT NOT NULL PRIMARY KEY, created_at BIGINT NOT NULL) WITHOUT ROWID;
CREATE TABLE sign_in_try (
  key TEXT NOT NULL PRIMARY KEY,
  count INTEGER NOT NULL,
  ends_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE audit (
  seq BIGINT NOT NULL PRIMARY KEY,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  actor_name TEXT NOT NULL,
  action TEXT NOT NULL,
  namespace TEXT,
  object TEXT,
  outcome TEXT NOT NULL CHECK (outcome IN ('done', 'denied', 'refused', 'failed')),
  code TEXT,
  address TEXT,
  before_hash TEXT,
  after_hash TEXT,
  unrecorded BIGINT NOT NULL,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX audit_namespace ON audit (namespace, seq) WHERE namespace IS NOT NULL;
CREATE INDEX audit_actor ON audit (actor, seq);
CREATE TABLE audit_base (
  one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  seq BIGINT NOT NULL,
  hash TEXT NOT NULL
);
CREATE TABLE subscriber (
  name TEXT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL
);
CREATE TABLE delivery_line (
  run TEXT NOT NULL PRIMARY KEY,
  host TEXT NOT NULL,
  last BIGINT NOT NULL,
  next_at BIGINT,
  claim TEXT,
  gone INTEGER NOT NULL
);
CREATE INDEX delivery_line_due ON delivery_line (host, next_at, run) WHERE next_at IS NOT NULL;
CREATE TABLE delivery (
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
);
CREATE INDEX delivery_dag ON delivery (namespace, dag, created_at, run, number);
CREATE INDEX delivery_waiting ON delivery (run, number) WHERE state = 'waiting';
CREATE TRIGGER audit_base_never_shrinks BEFORE UPDATE ON audit_base FOR EACH ROW WHEN NEW.seq < OLD.seq
BEGIN SELECT RAISE(ABORT, 'audit base never shrinks'); END;
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit FOR EACH ROW
BEGIN SELECT RAISE(ABORT, 'audit never changes'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit FOR EACH ROW
WHEN NOT EXISTS (SELECT 1 FROM audit_base WHERE seq >= OLD.seq)
BEGIN SELECT RAISE(ABORT, 'audit stays'); END;
CREATE TRIGGER ended_attempt_never_changes BEFORE UPDATE OF phase ON attempt FOR EACH ROW WHEN OLD.phase = 'ended' AND NEW.phase <> 'ended'
BEGIN SELECT RAISE(ABORT, 'ended attempt never changes'); END;
CREATE TRIGGER event_is_within_the_version BEFORE INSERT ON event FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.run AND version >= NEW.seq)
BEGIN SELECT RAISE(ABORT, 'event is within the version'); END;
CREATE TRIGGER event_never_changes BEFORE UPDATE ON event FOR EACH ROW WHEN TRUE
BEGIN SELECT RAISE(ABORT, 'event never changes'); END;
CREATE TRIGGER log_stays_with_its_run BEFORE DELETE ON event FOR EACH ROW WHEN EXISTS (SELECT 1 FROM run WHERE id = OLD.run)
BEGIN SELECT RAISE(ABORT, 'log stays with its run'); END;
CREATE TRIGGER settled_run_never_changes BEFORE UPDATE OF phase, version ON run FOR EACH ROW WHEN OLD.phase IN ('succeeded', 'failed', 'cancelled') AND (NEW.phase <> OLD.phase OR NEW.version <> OLD.version)
BEGIN SELECT RAISE(ABORT, 'settled run never changes'); END;
CREATE TRIGGER settled_task_never_changes BEFORE UPDATE OF state ON task FOR EACH ROW WHEN OLD.state IN ('succeeded', 'failed', 'skipped', 'upstreamFailed', 'cancelled') AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'settled task never changes'); END;
CREATE TRIGGER unsettled_run_stays BEFORE DELETE ON run FOR EACH ROW WHEN OLD.phase NOT IN ('succeeded', 'failed', 'cancelled')
BEGIN SELECT RAISE(ABORT, 'unsettled run stays'); END;
CREATE TRIGGER version_never_shrinks BEFORE UPDATE OF version ON run FOR EACH ROW WHEN NEW.version < OLD.version
BEGIN SELECT RAISE(ABORT, 'version never shrinks'); END;
