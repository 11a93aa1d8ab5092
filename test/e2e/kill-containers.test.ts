import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Dialect } from '../../src/executors/container/container-engine.ts'
import { environmentOf } from '../contracts/container/command.ts'
import { notRun } from '../contracts/container/contract.ts'
import { type Daemon, startDaemon, whyNoDaemon } from '../contracts/container/daemon.ts'
import { freshSchema, skips, withServer } from '../contracts/postgres/with-server.ts'
import { type Subject, killedRun, noFigures, told } from './kills.ts'
import { Place } from './kontroler.ts'

/**
 * `kill -9` of the engine at random moments while its tasks run in containers. `KONTROLER_KILLS=100` for as many on each
 * store, half of them with each container engine.
 */
const KILLS = Number(process.env['KONTROLER_KILLS'] ?? 4)
const SEED = process.env['KONTROLER_SEED'] ?? 'kill'
const LIFE_MS = 3_000

/** A retry, a fan-out behind a lock, a value that is passed on, a workspace, and something under finally. */
const SUBJECT: Subject = {
  dag: 'boxes',
  attempts: 8,
  text: `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: boxes}
spec:
  workspace: {enable: true, pvc: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
  task:
    - name: prepare
      image: busybox
      outputs: [word]
      script: |
        echo here >"$KONTROLER_WORKSPACE/file"
        echo word=spoken >>"$KONTROLER_OUTPUT"
    - name: flaky
      image: busybox
      runAfter: [prepare]
      backoff: {limit: 2, delay: 50ms}
      script: '[ "$KONTROLER_ATTEMPT" -ge 2 ] || exit 75'
    - name: part
      image: busybox
      runAfter: [prepare]
      forEach: [1, 2, 3]
      pool: lock
      script: 'mkdir LOCK || exit 9; sleep 0.1; rmdir LOCK'
    - name: join
      image: busybox
      runAfter: [flaky, part]
      env: [{name: WORD, value: '\${{ tasks.prepare.outputs.word }}'}]
      script: 'grep here "$KONTROLER_WORKSPACE/file" && [ "$WORD" = spoken ]'
  finally:
    - {name: tidy, image: busybox, script: 'test -e "$KONTROLER_WORKSPACE/file"'}
`,
}

for (const dialect of ['docker', 'podman'] as const) killedWith(dialect)

function killedWith(dialect: Dialect): void {
  const why = whyNoDaemon(dialect)
  if (why !== null) return notRun(why)
  describe(`with containers of ${dialect}`, () => {
    let daemon: Daemon
    before(async () => {
      daemon = await startDaemon(dialect)
    })
    after(() => daemon.remove())
    const postgres = withServer(dialect === 'docker' ? 16 : 18)

    for (const store of ['SQLite', 'PostgreSQL']) {
      const kills = Math.ceil(KILLS / 2)
      test(`on ${store}, killed ${kills} times (seed ${SEED}): each attempt ran once, and all ends well`, async t => {
        if (store === 'PostgreSQL' && skips(t, postgres.missing())) return
        const figures = noFigures()
        while (figures.kills < kills) {
          figures.runs += 1
          const database = store === 'PostgreSQL' ? { database: freshSchema(postgres.server()) } : {}
          const place = await Place.make(t, { env: environmentOf(daemon), ...database })
          const leftovers = (): readonly string[] => containersOf(daemon)
          const ground = {
            place,
            seed: `${SEED}/${dialect}/${store}`,
            lifeMs: LIFE_MS,
            mounts: true,
            leftovers,
          }
          await killedRun(ground, SUBJECT, figures.runs, figures)
          await place.remove()
        }
        t.diagnostic(told(figures))
      })
    }
  })
}

function containersOf(daemon: Daemon): readonly string[] {
  const { status, stdout, stderr } = daemon.client('ps', '-aq')
  assert.equal(status, 0, stderr)
  return stdout.split('\n').filter(line => line !== '')
}
