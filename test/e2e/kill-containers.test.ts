import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import type { Dialect } from '../../src/executors/container/container-engine.ts'
import { stateLabels } from '../../src/executors/container/names.ts'
import { stateIdentity } from '../../src/executors/state-identity.ts'
import { environmentOf } from '../contracts/container/command.ts'
import { notRun } from '../contracts/container/contract.ts'
import { type Daemon, startDaemon, whyNoDaemon } from '../contracts/container/daemon.ts'
import { freshSchema, skips, withServer } from '../contracts/postgres/with-server.ts'
import {
  type Ground,
  type Subject,
  killedRun,
  noFigures,
  told,
  undisturbed,
  type Undisturbed,
} from './kills.ts'
import { Place } from './kontroler.ts'

/**
 * `kill -9` of the engine at random moments while its tasks run in containers. `KONTROLER_KILLS=100` for as many on each
 * store, half of them with each container engine; `KONTROLER_SEED` for other moments.
 */
const KILLS = Number(process.env['KONTROLER_KILLS'] ?? 3)
const SEED = process.env['KONTROLER_SEED'] ?? 'kill'

/** A retry, a fan-out over an output and behind a lock, a failure that is allowed, a workspace, and what comes finally. */
const SUBJECT: Subject = {
  dag: 'boxes',
  text: `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: boxes}
spec:
  workspace: {enable: true, pvc: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
  task:
    - name: prepare
      image: busybox
      outputs: [parts]
      script: |
        echo here >"$KONTROLER_WORKSPACE/file"
        echo 'parts=x y z' >>"$KONTROLER_OUTPUT"
    - name: flaky
      image: busybox
      runAfter: [prepare]
      backoff: {limit: 2, delay: 50ms}
      script: |
        [ -e "$KONTROLER_WORKSPACE/failed" ] || { touch "$KONTROLER_WORKSPACE/failed"; exit 75; }
    - name: part
      image: busybox
      runAfter: [prepare]
      forEach: "tasks.prepare.outputs.parts.split(' ')"
      pool: lock
      env: [{name: PART, value: '\${{ item }}'}]
      script: 'mkdir LOCK || exit 9; sleep 0.1; rmdir LOCK; echo "$PART" >"$KONTROLER_WORKSPACE/$PART"'
    - {name: broken, image: busybox, runAfter: [prepare], allowFailure: true, script: 'sleep 0.3; exit 3'}
    - name: join
      image: busybox
      runAfter: [flaky, part]
      outputs: [all]
      script: |
        cd "$KONTROLER_WORKSPACE"
        cat file x y z
        echo all=$(cat x y z) >>"$KONTROLER_OUTPUT"
  finally:
    - {name: tidy, image: busybox, script: 'test -e "$KONTROLER_WORKSPACE/file"'}
`,
}

const STORES = ['SQLite', 'PostgreSQL'] as const
const daemons = new Map<Dialect, Daemon>()
let peaceful: Promise<Undisturbed> | null = null

describe('engines killed while their tasks run in containers', { concurrency: 2 }, () => {
  const dialects = (['docker', 'podman'] as const).filter(dialect => {
    const why = whyNoDaemon(dialect)
    if (why !== null) notRun(why)
    return why === null
  })
  before(async () => {
    for (const dialect of dialects) daemons.set(dialect, await startDaemon(dialect))
  })
  after(async () => {
    for (const daemon of daemons.values()) await daemon.remove()
  })
  const postgres = withServer(18)

  for (const [store, dialect] of STORES.flatMap(store => dialects.map(dialect => [store, dialect] as const)))
    kill(store, dialect)

  function kill(store: (typeof STORES)[number], dialect: Dialect): void {
    // Odd ones go to Docker on SQLite and to Podman on PostgreSQL.
    const isMore = (store === 'SQLite') === (dialect === 'docker')
    const kills = dialects.length === 1 ? KILLS : Math.floor((KILLS + (isMore ? 1 : 0)) / 2)
    const title = `${kills} times with ${dialect} on ${store} (seed ${SEED}): each attempt ran once, and all ends well`
    test(title, async t => {
      if (store === 'PostgreSQL' && skips(t, postgres.missing())) return
      const daemon = daemons.get(dialect)
      assert.ok(daemon !== undefined)
      const on = async <T>(work: (ground: Ground) => Promise<T>): Promise<T> => {
        const database = store === 'PostgreSQL' ? { database: freshSchema(postgres.server()) } : {}
        return await onGround(t, daemon, store, database, work)
      }
      // One serves all: what a run comes to depends on neither the store nor the daemon.
      peaceful ??= on(ground => undisturbed(ground, SUBJECT))
      const undisturbedRun = await peaceful
      const figures = noFigures()
      while (figures.kills < kills)
        await on(ground => killedRun(ground, SUBJECT, undisturbedRun, figures, kills))
      t.diagnostic(told(figures))
    })
  }
})

async function onGround<T>(
  t: TestContext,
  daemon: Daemon,
  store: string,
  database: { readonly database?: string },
  work: (ground: Ground) => Promise<T>,
): Promise<T> {
  const place = await Place.make(t, { env: environmentOf(daemon), ...database })
  const labels = (): string =>
    Object.entries(stateLabels(stateIdentity(place.state)))
      .map(([name, value]) => `${name}=${value}`)
      .join()
  const leftovers = (): readonly string[] => containersOf(daemon, labels())
  const seed = `${SEED}/${daemon.dialect}/${store}`
  const done = await work({ place, seed, containers: true, leftovers })
  await place.remove()
  return done
}

function containersOf(daemon: Daemon, label: string): readonly string[] {
  const { status, stdout, stderr } = daemon.client('ps', '-aq', '--filter', `label=${label}`)
  assert.equal(status, 0, stderr)
  return stdout.split('\n').filter(line => line !== '')
}
