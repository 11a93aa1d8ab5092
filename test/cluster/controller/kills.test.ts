import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { attemptPath } from '../../../src/core/run/attempt-path.ts'
import type { AttemptRow } from '../../../src/core/run/rows.ts'
import { installationSelector, KEYS } from '../../../src/executors/pod/names.ts'
import { CONFIG_MAPS, PODS } from '../../../src/kubernetes/resource.ts'
import type { Store } from '../../../src/ports/store.ts'
import { openPostgresStore } from '../../../src/stores/postgres/open.ts'
import { openSqliteStore } from '../../../src/stores/sqlite/open.ts'
import { freshSchema, skips, withServer } from '../../contracts/postgres/with-server.ts'
import type { Kubernetes } from '../kubernetes.ts'
import { eventually } from '../operator/house.ts'
import { fullCluster } from '../shared.ts'
import { ControllerHouse, knowKinds } from './house.ts'

/** `KONTROLER_CLUSTER_TASKS=500` for a long run, `KONTROLER_KILL_MS` for the time between two kills. */
const TASKS = Number(process.env['KONTROLER_CLUSTER_TASKS'] ?? 40)
const KILL_MS = Number(process.env['KONTROLER_KILL_MS'] ?? 3_000)
const LINES = 50
/** Well below the age at which an intent that came to nothing is given up. */
const GIVEN_UP_S = 200
const WITHIN_MS = 60_000 + TASKS * 2_000

const lines = Array.from({ length: LINES }, (_, index) => index)
const logOf = (task: string, attempt: number): string =>
  lines.map(line => `line ${line} of ${task} ${attempt}\n`).join('')
/** Every seventh item fails at first. */
const failsFirst = (item: number): boolean => item % 7 === 0

/** Each attempt writes its name into a ledger that neither the controller nor the cluster knows of. */
const dag = (ledger: string): object => ({
  task: [
    {
      name: 'list',
      image: 'busybox:1.36',
      outputs: ['items'],
      script: `echo items=$(seq -s ' ' 0 ${TASKS - 1}) >>"$KONTROLER_OUTPUT"`,
    },
    {
      name: 'work',
      image: 'busybox:1.36',
      runAfter: ['list'],
      forEach: "tasks.list.outputs.items.split(' ')",
      backoff: { limit: 1, delay: '100ms' },
      env: [{ name: 'ITEM', value: '${{ item }}' }],
      script: [
        'echo "$KONTROLER_TASK $KONTROLER_ATTEMPT" >>/ledger/attempts',
        `i=0; while [ $i -lt ${LINES} ]; do echo "line $i of $KONTROLER_TASK $KONTROLER_ATTEMPT"; i=$((i + 1)); done`,
        'sleep 0.$((ITEM % 10))',
        '[ $KONTROLER_ATTEMPT != 1 ] || [ $((ITEM % 7)) != 0 ] || exit 75',
      ].join('\n'),
      podTemplate: {
        volumes: [{ name: 'ledger', hostPath: { path: ledger } }],
        volumeMounts: [{ name: 'ledger', mountPath: '/ledger' }],
      },
    },
    { name: 'join', image: 'busybox:1.36', runAfter: ['work'], script: 'echo all' },
  ],
})

describe(`a controller killed every ${KILL_MS / 1_000} s while it runs ${TASKS} tasks as pods`, () => {
  const postgres = withServer(18)
  let cluster: Kubernetes
  before(async () => {
    cluster = await fullCluster()
    knowKinds(cluster)
  })

  test('on SQLite', async t => {
    const house = await ControllerHouse.make(cluster, { fenceSize: 25 })
    t.after(() => house.remove())
    await killed(house, () => openSqliteStore(join(house.stateDir, 'kontroler.db')))
  })

  test('on PostgreSQL', async t => {
    if (skips(t, postgres.missing())) return
    const url = freshSchema(postgres.server())
    const house = await ControllerHouse.make(cluster, { fenceSize: 25, database: { url } })
    t.after(() => house.remove())
    await killed(house, () => openPostgresStore(url))
  })
})

async function killed(house: ControllerHouse, openStore: () => Promise<Store>): Promise<void> {
  const ledger = join(house.folder, 'ledger')
  mkdirSync(ledger)
  await chmod(house.folder, 0o755)
  await chmod(ledger, 0o777)
  await writeFile(join(ledger, 'attempts'), '', { mode: 0o666 })
  await chmod(join(ledger, 'attempts'), 0o666)

  house.start()
  await house.apply('DAG', 'many', dag(ledger))
  await house.apply('DagRun', 'many', { dagName: 'many' })
  let kills = 0
  const began = Date.now()
  for (;;) {
    await delay(KILL_MS)
    const { status } = await house.dagRun('many')
    if (status?.completionTime !== undefined) break
    assert.ok(Date.now() - began < WITHIN_MS, `it did not end in time: ${status?.progress}\n${house.said}`)
    await house.end('SIGKILL')
    kills += 1
    house.start()
  }
  const seconds = Math.round((Date.now() - began) / 1_000)
  const { status } = await house.dagRun('many')
  assert.equal(status?.phase, 'succeeded', status?.message)
  // The fence that the last process goes on filling would stay for minutes.
  assert.equal(await house.end('SIGTERM'), 0, house.said)
  house.start()
  await house.runs()
  await noPodIsLeft(house)
  assert.equal(await house.end('SIGTERM'), 0, house.said)

  const store = await openStore()
  let summary: string
  try {
    const { runId = '' } = status ?? {}
    const attempts = await store.attempts(runId)
    const ran = attempts.filter(({ task }) => task.startsWith('work['))
    const told = readFileSync(join(ledger, 'attempts'), 'utf8').trim().split('\n')
    const isOwn = ({ outcome }: AttemptRow): boolean => outcome === 'succeeded' || outcome === 'exitCode'
    const own = ran.filter(isOwn)
    const never = ran.filter(attempt => !isOwn(attempt)).map(wordsOf)
    // An intent of which nothing came is given up after five minutes, which a busy machine may take.
    if (seconds < GIVEN_UP_S) assert.deepEqual(never, [])
    assert.deepEqual(told.toSorted(), own.map(nameOf).toSorted(), 'attempts that ran, and those that ended')
    for (let item = 0; item < TASKS; item += 1) {
      const ends = own.filter(({ task }) => task === `work[${item}]`)
      const fails = failsFirst(item) && ends[0]?.attempt === 1
      const wanted = fails ? ['exitCode', 'succeeded'] : ['succeeded']
      assert.deepEqual(
        ends.map(({ outcome }) => outcome),
        wanted,
        `ends of item ${item}`,
      )
    }
    const without = never.length === 0 ? '' : `, ${never.length} attempts were given up before they began`
    summary = `${kills} kills in ${seconds} s: ${TASKS} tasks, each attempt ran once, each log is whole${without}`
    for (const { task, attempt } of own) {
      const file = join(house.stateDir, attemptPath(runId, task, attempt), 'log')
      assert.equal(readFileSync(file, 'utf8'), logOf(task, attempt), `log of ${task} ${attempt}`)
    }
  } finally {
    await store.close()
  }
  console.log(summary)
}

const nameOf = ({ task, attempt }: AttemptRow): string => `${task} ${attempt}`
const wordsOf = (attempt: AttemptRow): string => `${nameOf(attempt)} ${attempt.reason} ${attempt.message}`

/** Tombstones go with their fences, and fences when nothing needs them. */
async function noPodIsLeft(house: ControllerHouse): Promise<void> {
  const query = {
    namespace: house.namespace,
    labelSelector: `${installationSelector(house.namespace)},${KEYS.fence}`,
  }
  const left = async (): Promise<number> => {
    const pods = await house.client.list(PODS, query, { metadataOnly: true })
    const fences = await house.client.list(CONFIG_MAPS, query, { metadataOnly: true })
    return pods.items.length + fences.items.length
  }
  await eventually('no pod and no fence', async () => ((await left()) === 0 ? true : null), 120_000)
}
