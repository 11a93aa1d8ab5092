import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { chance } from '../../src/core/chance.ts'
import {
  type Ground,
  type Subject,
  killedRun,
  noFigures,
  runOf,
  told,
  undisturbed,
  withLedger,
} from './kills.ts'
import { Place, inParallel } from './kontroler.ts'

/**
 * `kill -9` of the engine at random moments, of a run and of what resumes it. `KONTROLER_KILLS=200` for more of them,
 * `KONTROLER_SEED` for other moments.
 */
const KILLS = Number(process.env['KONTROLER_KILLS'] ?? 25)
const SEED = process.env['KONTROLER_SEED'] ?? 'kill'
/** The run takes about this long, and so does a start. */
const LIFE_MS = 1_000

/** Twelve tasks, as the example has them. */
const RELEASE: Subject = { text: readFileSync('examples/release.yaml', 'utf8'), dag: 'release' }

/** A retry, a lock, children, a workspace, a daemon that is left behind, and something under finally. */
const RICH: Subject = {
  dag: 'rich',
  text: `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: child}
spec:
  task:
    - {name: work, image: busybox, script: 'sleep 0.05'}
---
apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: rich}
spec:
  workspace: {enable: true, pvc: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
  task:
    - name: prepare
      image: busybox
      script: |
        echo here >"$KONTROLER_WORKSPACE/file"
        setsid sh -c 'sleep 300' >/dev/null 2>&1 &
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
      script: 'mkdir LOCK || exit 9; sleep 0.05; rmdir LOCK'
    - {name: sub, runAfter: [prepare], forEach: [x, y], dag: {name: child}}
    - {name: join, image: busybox, runAfter: [flaky, part, sub], script: 'grep here "$KONTROLER_WORKSPACE/file"'}
  finally:
    - {name: tidy, image: busybox, script: 'test -e "$KONTROLER_WORKSPACE/file"'}
`,
}

for (const [name, subject, kills] of [
  ['a run of 12 tasks', RELEASE, KILLS],
  [
    'a run with retries, children, a lock, a workspace and a daemon',
    RICH,
    Math.min(25, Math.ceil(KILLS / 3)),
  ],
] as const) {
  test(`${name}, killed ${kills} times at random moments (seed ${SEED}): each attempt ran once, and all ends well`, async t => {
    const figures = noFigures()
    const on = async <T>(work: (ground: Ground) => Promise<T>): Promise<T> => {
      const place = await Place.make(t)
      const leftovers = (): readonly number[] => place.tasks()
      const done = await work({ place, seed: SEED, containers: false, leftovers })
      await place.remove()
      return done
    }
    const peaceful = await on(ground => undisturbed(ground, subject))
    await inParallel([1, 2], 2, async () => {
      while (figures.kills < kills) await on(ground => killedRun(ground, subject, peaceful, figures, kills))
    })
    t.diagnostic(told(figures))
  })
}

test(`a run that gets SIGTERM at random moments (seed ${SEED}) is cancelled cleanly, has ended, or never was`, async t => {
  const seen = new Map<string, number>()
  await inParallel(
    Array.from({ length: Math.min(20, Math.ceil(KILLS / 2)) }, (_, number) => number),
    2,
    async number => {
      const place = await Place.make(t)
      const file = place.file('dag.yaml', withLedger(RELEASE.text, join(place.folder, 'ledger'), false))
      const command = place.start(['run', file, '--grace', '2s'])
      await delay(chance(`${SEED}/term/${number}`) * 2 * LIFE_MS)
      command.child.kill('SIGTERM')
      const { code, signal, output } = await command.over
      const run = await runOf(place)
      const what = run?.phase ?? 'not recorded'
      seen.set(what, (seen.get(what) ?? 0) + 1)
      // Before the run is known, a signal simply ends the process.
      const expected = new Map<string, number | null>([
        ['succeeded', 0],
        ['cancelled', 3],
        ['not recorded', null],
      ])
      assert.equal(code, expected.get(what), `${what}, ${signal}: ${output}`)
      assert.deepEqual(place.tasks(), [])
      // Killed while it started, it left its name, which the next engine forgets.
      if (run !== null) assert.deepEqual(await place.read(store => store.engines()), [], 'it has signed off')
      await place.remove()
    },
  )
  t.diagnostic([...seen].map(([what, count]) => `${count} ${what}`).join(', '))
})

test('a signal that comes while the process of a run that succeeded ends changes nothing', async t => {
  const place = await Place.make(t)
  const file = place.file('dag.yaml', RELEASE.text)
  for (let number = 0; number < 12; number += 1) {
    const command = place.start(['run', file])
    await command.says('succeeded after')
    await delay(number * 2)
    command.child.kill('SIGTERM')
    const { code, signal } = await command.over
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `${number * 2} ms after its last words`)
  }
})
