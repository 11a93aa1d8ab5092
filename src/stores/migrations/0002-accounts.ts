import { REFUSED_BY_GUARD, type Migration } from '../migration.ts'
import { asPostgres } from './0001-first.ts'

/** Users, their roles, identities, sessions and tokens, tries to sign in, and the audit log. */
export const accounts: Migration = {
  number: 2,
  name: 'accounts',
  sql: {
    sqlite: [...tables(), ...sqliteGuards()],
    postgres: [...tables().map(asPostgres), ...postgresGuards()],
  },
  checksums: {
    sqlite: 'a06104c0342c7ecd429003fbd3ffbf5c7d3cadedd74f3adb6da037057119592e',
    postgres: '409b57690478976af5435872d9a26dd41b05c6b2a38db5ef7c3d37a0259bbcdc',
  },
}

/**
 * Two counters are locks too: whoever changes who may manage users counts `accounts` up first, and whoever adds to the
 * audit log counts `audit` up, so that its order is that of the commits.
 */
function tables(): string[] {
  return [
    `INSERT INTO counter (name, value) VALUES ('accounts', 0)`,
    `INSERT INTO counter (name, value) VALUES ('audit', 0)`,
    `CREATE TABLE account (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  password TEXT,
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  created_at BIGINT NOT NULL,
  version BIGINT NOT NULL CHECK (version > 0)
)`,
    `CREATE TABLE role_grant (
  account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  namespace TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
  PRIMARY KEY (account, namespace)
) WITHOUT ROWID`,
    `CREATE INDEX role_grant_admin ON role_grant (account) WHERE namespace = '*' AND role = 'admin'`,
    `CREATE TABLE identity (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (issuer, subject)
) WITHOUT ROWID`,
    'CREATE INDEX identity_account ON identity (account)',
    `CREATE TABLE session (
  hash TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  idle_ms BIGINT NOT NULL,
  ends_at BIGINT NOT NULL
) WITHOUT ROWID`,
    'CREATE INDEX session_account ON session (account)',
    `CREATE TABLE api_token (
  id TEXT NOT NULL PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  roles TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  used_at BIGINT,
  revoked_at BIGINT
)`,
    'CREATE INDEX api_token_account ON api_token (account, created_at)',
    'CREATE TABLE setup_code (hash TEXT NOT NULL PRIMARY KEY, created_at BIGINT NOT NULL) WITHOUT ROWID',
    `CREATE TABLE sign_in_try (
  key TEXT NOT NULL PRIMARY KEY,
  count INTEGER NOT NULL,
  ends_at BIGINT NOT NULL
) WITHOUT ROWID`,
    `CREATE TABLE audit (
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
) WITHOUT ROWID`,
    'CREATE INDEX audit_namespace ON audit (namespace, seq) WHERE namespace IS NOT NULL',
    'CREATE INDEX audit_actor ON audit (actor, seq)',
    `CREATE TABLE audit_base (
  one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  seq BIGINT NOT NULL,
  hash TEXT NOT NULL
)`,
  ]
}

/** An entry is never changed, and goes only once the place where the log begins has been moved past it. */
function sqliteGuards(): string[] {
  return [
    `CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit FOR EACH ROW
BEGIN SELECT RAISE(ABORT, 'audit never changes'); END`,
    `CREATE TRIGGER audit_stays BEFORE DELETE ON audit FOR EACH ROW
WHEN NOT EXISTS (SELECT 1 FROM audit_base WHERE seq >= OLD.seq)
BEGIN SELECT RAISE(ABORT, 'audit stays'); END`,
    `CREATE TRIGGER audit_base_never_shrinks BEFORE UPDATE ON audit_base FOR EACH ROW WHEN NEW.seq < OLD.seq
BEGIN SELECT RAISE(ABORT, 'audit base never shrinks'); END`,
  ]
}

/** `refuse` is of the first step. */
function postgresGuards(): string[] {
  return [
    `CREATE FUNCTION refuse_kept_audit() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
  IF EXISTS (SELECT 1 FROM gone AS g WHERE g.seq > coalesce((SELECT max(seq) FROM audit_base), 0)) THEN
    RAISE EXCEPTION '%', replace(TG_NAME, '_', ' ') USING ERRCODE = '${REFUSED_BY_GUARD}';
  END IF;
  RETURN NULL;
END $$`,
    'CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION refuse()',
    `CREATE TRIGGER audit_stays AFTER DELETE ON audit REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_kept_audit()`,
    `CREATE TRIGGER audit_base_never_shrinks BEFORE UPDATE ON audit_base FOR EACH ROW WHEN (NEW.seq < OLD.seq)
  EXECUTE FUNCTION refuse()`,
  ]
}
