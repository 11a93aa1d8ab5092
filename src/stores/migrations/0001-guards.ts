import { REFUSED_BY_GUARD } from '../migration.ts'

/**
 * What even a bug above must not break. An append moves the version first and then writes the events up to it, so
 * "no event beyond the version" together with "the version of a settled run is fixed" closes its log.
 */
export function sqliteGuards(): string[] {
  const settled = `('succeeded', 'failed', 'cancelled')`
  const settledTask = `('succeeded', 'failed', 'skipped', 'upstreamFailed', 'cancelled')`
  const guard = (name: string, on: string, when: string): string =>
    `CREATE TRIGGER ${name} BEFORE ${on} FOR EACH ROW WHEN ${when}\n` +
    `BEGIN SELECT RAISE(ABORT, '${name.replaceAll('_', ' ')}'); END`
  return [
    guard(
      'settled_run_never_changes',
      'UPDATE OF phase, version ON run',
      `OLD.phase IN ${settled} AND (NEW.phase <> OLD.phase OR NEW.version <> OLD.version)`,
    ),
    guard('version_never_shrinks', 'UPDATE OF version ON run', 'NEW.version < OLD.version'),
    guard('unsettled_run_stays', 'DELETE ON run', `OLD.phase NOT IN ${settled}`),
    guard(
      'event_is_within_the_version',
      'INSERT ON event',
      'NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.run AND version >= NEW.seq)',
    ),
    guard('event_never_changes', 'UPDATE ON event', 'TRUE'),
    guard('log_stays_with_its_run', 'DELETE ON event', 'EXISTS (SELECT 1 FROM run WHERE id = OLD.run)'),
    guard(
      'settled_task_never_changes',
      'UPDATE OF state ON task',
      `OLD.state IN ${settledTask} AND NEW.state <> OLD.state`,
    ),
    guard(
      'ended_attempt_never_changes',
      'UPDATE OF phase ON attempt',
      `OLD.phase = 'ended' AND NEW.phase <> 'ended'`,
    ),
  ]
}

/**
 * The same guards. What looks at other rows runs once for each statement, so that a batch pays for one look; what
 * looks at the row itself is a condition that the server evaluates without calling anything.
 */
export function postgresGuards(): string[] {
  const settled = `('succeeded', 'failed', 'cancelled')`
  const settledTask = `('succeeded', 'failed', 'skipped', 'upstreamFailed', 'cancelled')`
  const row = (name: string, on: string, when: string): string =>
    `CREATE TRIGGER ${name} BEFORE ${on} FOR EACH ROW WHEN (${when}) EXECUTE FUNCTION refuse()`
  return [
    `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  RAISE EXCEPTION '%', replace(TG_NAME, '_', ' ') USING ERRCODE = '${REFUSED_BY_GUARD}';
END $$`,
    `CREATE FUNCTION refuse_beyond_version() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
  IF EXISTS (SELECT 1 FROM added AS a LEFT JOIN run ON run.id = a.run
    WHERE run.version IS NULL OR run.version < a.seq) THEN
    RAISE EXCEPTION '%', replace(TG_NAME, '_', ' ') USING ERRCODE = '${REFUSED_BY_GUARD}';
  END IF;
  RETURN NULL;
END $$`,
    `CREATE FUNCTION refuse_log_of_run() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
  IF EXISTS (SELECT 1 FROM gone AS g JOIN run ON run.id = g.run) THEN
    RAISE EXCEPTION '%', replace(TG_NAME, '_', ' ') USING ERRCODE = '${REFUSED_BY_GUARD}';
  END IF;
  RETURN NULL;
END $$`,
    row(
      'settled_run_never_changes',
      'UPDATE OF phase, version ON run',
      `OLD.phase IN ${settled} AND (NEW.phase <> OLD.phase OR NEW.version <> OLD.version)`,
    ),
    row('version_never_shrinks', 'UPDATE OF version ON run', 'NEW.version < OLD.version'),
    row('unsettled_run_stays', 'DELETE ON run', `OLD.phase NOT IN ${settled}`),
    `CREATE TRIGGER event_is_within_the_version AFTER INSERT ON event REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_beyond_version()`,
    row('event_never_changes', 'UPDATE ON event', 'TRUE'),
    `CREATE TRIGGER log_stays_with_its_run AFTER DELETE ON event REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_of_run()`,
    row(
      'settled_task_never_changes',
      'UPDATE OF state ON task',
      `OLD.state IN ${settledTask} AND NEW.state <> OLD.state`,
    ),
    row(
      'ended_attempt_never_changes',
      'UPDATE OF phase ON attempt',
      `OLD.phase = 'ended' AND NEW.phase <> 'ended'`,
    ),
  ]
}
