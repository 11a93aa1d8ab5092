import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createFilesystemLogs } from '../../src/archives/filesystem/logs.ts'
import { podName } from '../../src/executors/pod/names.ts'
import type { Client } from '../../src/kubernetes/client.ts'
import { PODS } from '../../src/kubernetes/resource.ts'
import type { LogRef } from '../../src/ports/logs.ts'
import {
  chatty,
  durable,
  type EnginePlan,
  logPlace,
  type LogPlace,
  toldBy,
  wholeLog,
} from './pod-logs-house.ts'
import { clientOf, fullCluster } from './shared.ts'

/** Size of the big log; 1024 is the one that is promised. */
const BIG_MIB = Number(process.env['KONTROLER_LOG_MB'] ?? '64')
const MIB = 1024 * 1024
const WHOLE = { wrong: null, holes: 0 }

/** What is promised of the logs of pods, on a real kubelet, wherever they are kept. */
export function podLogsSuite(name: string, s3Of: () => Promise<EnginePlan['s3']>): void {
  describe(`logs of pods, kept in ${name}`, { concurrency: 3, timeout: 900_000 }, () => {
    let client: Client
    let s3: EnginePlan['s3']
    before(async () => {
      client = clientOf(await fullCluster())
      s3 = await s3Of()
    })
    after(() => client.close())

    const story = (title: string, body: (place: LogPlace) => Promise<void>): void => {
      test(title, async () => {
        const place = await logPlace(client, s3)
        try {
          await body(place)
        } finally {
          await place.remove()
        }
      })
    }

    /** Runs it to its end, and gives its log. */
    const logOf = async (place: LogPlace, sh: string): Promise<string> => {
      const engine = await place.open()
      const spec = place.task({ sh })
      await engine.watched.run(spec)
      return (await wholeLog(engine, spec)).toString('latin1')
    }

    /** Runs a task that says much, and gives how often its log says that lines are missing. */
    const holesOfBigLog = async (place: LogPlace): Promise<number> => {
      const engine = await place.open()
      const spec = place.task({ sh: chatty(BIG_MIB, Math.max(2, BIG_MIB / 64)) })
      const since = performance.now()
      const memory = measured()
      await engine.watched.run(spec)
      const ended = performance.now()
      await durable(engine, refOf(spec))
      const { wrong, holes } = await toldBy(engine.logs.archive, refOf(spec), BIG_MIB)
      const seconds = (at: number): string => ((at - since) / 1000).toFixed(1)
      process.stderr.write(
        `${BIG_MIB} MiB in ${name}: the task took ${seconds(ended)} s, its log was durable after ` +
          `${seconds(performance.now())} s with ${holes} holes; memory grew by ${memory()} MiB at most\n`,
      )
      assert.equal(wrong, null)
      assert.deepEqual(
        engine.troubles.map(({ code }) => code),
        Array<string>(holes).fill('LOG_GAP'),
      )
      await engine.close()
      return holes
    }

    story('a short task', async place => {
      const sh = 'echo one; echo; sleep 0.5; echo two >&2; sleep 0.5; echo three'
      assert.equal(await logOf(place, sh), 'one\n\ntwo\nthree\n')
    })

    story('a task that says nothing has an empty log', async place => {
      assert.equal(await logOf(place, 'true'), '')
    })

    story('a last line without an end', async place => {
      assert.equal(await logOf(place, 'echo one; printf two'), 'one\ntwo')
    })

    story('bytes of every kind, and lines beyond what a node keeps in one piece', async place => {
      const engine = await place.open()
      const sum = (file: string): string =>
        `echo ${file}=$(sha256sum < ${file} | cut -c 1-64) >> $KONTROLER_OUTPUT`
      // A carriage return in front of a line end is the only byte that the node itself (containerd 2.2) does not keep.
      const make =
        "cd /tmp; head -c 300000 /dev/urandom | tr -d '\\r' > a; head -c 100000 /dev/zero > b; " +
        "head -c 200000 /dev/urandom | tr -d '\\n' > c; printf '\\000\\377\\376\\n\\r\\200\\n2026-01-01T00:00:00Z x' >> c"
      const outputs = ['sum']
      const spec = place.task({ sh: `${make}; cat a b c > sum; ${sum('sum')}; cat sum`, outputs })
      const outcome = await engine.watched.run(spec)
      const log = await wholeLog(engine, spec)
      assert.equal(createHash('sha256').update(log).digest('hex'), outcome.outputs['sum'])
    })

    story('init containers, and sidecars to their last word', async place => {
      const engine = await place.open({}, () => 'ended')
      const image = 'busybox:1.36'
      const sh = (script: string) => ({ image, command: ['sh', '-c', script] })
      const untilTerm = (name: string): string =>
        `trap 'echo ${name} ends; exit 0' TERM; echo ${name}; while true; do sleep 0.1; done`
      const spec = place.task({
        sh: 'sleep 2; echo own',
        work: {
          podTemplate: {
            initContainers: [
              { name: 'prepare', ...sh('echo prepare; printf done') },
              { name: 'native', restartPolicy: 'Always', ...sh(untilTerm('native')) },
            ],
            containers: [{ name: 'beside', ...sh(untilTerm('beside')) }],
          },
        },
      })
      await engine.watched.run(spec)
      assert.equal((await wholeLog(engine, spec)).toString(), 'own\n')
      engine.executor.release(spec)
      const log = async (container: string) => (await wholeLog(engine, { ...spec, container })).toString()
      assert.equal(await log('prepare'), 'prepare\ndone')
      assert.equal(await log('native'), 'native\nnative ends\n')
      assert.equal(await log('beside'), 'beside\nbeside ends\n')
      assert.deepEqual(await engine.logs.archive.containers(spec), ['beside', 'native', 'prepare'])
    })

    story('an init container that has much to say before the task begins', async place => {
      const engine = await place.open()
      const command = ['sh', '-c', chatty(24, 1)]
      const spec = place.task({
        sh: 'echo own',
        work: { podTemplate: { initContainers: [{ name: 'prepare', image: 'busybox:1.36', command }] } },
      })
      await engine.watched.run(spec)
      const prepare = refOf(spec, 'prepare')
      await durable(engine, prepare)
      assert.deepEqual(await toldBy(engine.logs.archive, prepare, 24), WHOLE)
    })

    // What is said between two steps of a rotation its kubelet shows to no follower, which a busy machine brings about.
    // It may not go unsaid, and where the node kept up nothing may be missing.
    story(`a log of ${BIG_MIB} MiB, which its node rotates on the way`, async place => {
      let holes = 1
      for (let tries = 0; holes > 0 && tries < 3; tries += 1) holes = await holesOfBigLog(place)
      assert.equal(holes, 0)
    })

    story('an engine is killed in the middle, and the next one goes on', async place => {
      const engine = await place.open()
      // Less than a node rotates: what it rotates away while no engine is there is lost, and the log says so.
      const spec = place.task({ sh: chatty(8, 0.5) })
      engine.executor.start(spec)
      const running = await engine.watched.running(spec)
      assert.ok(running.kind === 'running')
      const ref = { ...spec, era: engine.executor.era ?? '', handle: running.handle }
      await engine.close()
      for (let round = 0; round < 3; round += 1) await killedAfter(place, ref, 2 * MIB * (round + 1))
      const next = await place.open()
      await next.executor.adopt(ref)
      await next.watched.ended(spec)
      await durable(next, refOf(spec))
      assert.deepEqual(await toldBy(next.logs.archive, refOf(spec), 8), WHOLE)
    })

    story('a log that somebody watches is live', async place => {
      const engine = await place.open()
      const spec = place.task({ sh: 'while true; do echo tick; sleep 0.5; done' })
      const unwatch = engine.logs.watch(refOf(spec))
      engine.executor.start(spec)
      await engine.watched.running(spec)
      // Seen many times while it runs: whoever does not watch reads at most once in five seconds.
      const sizes = new Set<number>()
      const since = performance.now()
      while (sizes.size < 10) {
        sizes.add((await engine.logs.archive.size(refOf(spec))) ?? 0)
        await sleep(100)
      }
      process.stderr.write(
        `live in ${name}: ten sizes in ${((performance.now() - since) / 1000).toFixed(1)} s\n`,
      )
      unwatch()
      engine.executor.stop(spec, 0)
      await engine.watched.ended(spec)
      assert.match((await wholeLog(engine, spec)).toString(), /^(tick\n){8,}/)
    })

    story('of a pod that somebody deletes before its log was read it is stated as missing', async place => {
      const engine = await place.open()
      const spec = place.task({ sh: 'echo said; sleep 600' })
      engine.executor.start(spec)
      await engine.watched.running(spec)
      const { namespace } = place.plan
      await client.remove(PODS, { namespace, name: podName(spec) }, { gracePeriodSeconds: 0 })
      await engine.watched.ended(spec)
      assert.match(
        (await wholeLog(engine, spec)).toString(),
        /^\[kontroler: the log is missing: .* removed .*\]\n$/,
      )
      assert.equal(engine.troubles.filter(({ code }) => code === 'LOG_LOST').length, 1)
    })

    story('a task that runs wild is cut off, and goes on', async place => {
      const engine = await place.open({ maxBytes: MIB })
      const spec = place.task({ sh: `${chatty(4, 4)}; sleep 600` })
      engine.executor.start(spec)
      const log = (await wholeLog(engine, spec)).toString()
      assert.equal(log.slice(0, MIB).length, MIB)
      assert.match(log.slice(MIB), /^\[kontroler: the rest is not kept: .* 1048576 bytes .*\]\n$/)
      assert.deepEqual(engine.watched.kinds(spec), ['running'])
      engine.executor.stop(spec, 0)
      await engine.watched.ended(spec)
      assert.deepEqual(
        engine.troubles.map(({ code }) => code),
        ['LOG_CUT'],
      )
    })

    story('a log whose pod went while no engine ran is finished by the next, and says so', async place => {
      const first = await place.open()
      const spec = place.task({ sh: 'echo said; sleep 600' })
      first.logs.watch(refOf(spec))
      first.executor.start(spec)
      while (((await first.logs.archive.size(refOf(spec))) ?? 0) === 0) await sleep(100)
      await sleep(2_000)
      await first.close()
      const { namespace } = place.plan
      await client.remove(PODS, { namespace, name: podName(spec) }, { gracePeriodSeconds: 0 })
      const next = await place.open({}, () => 'ended')
      assert.match(
        (await wholeLog(next, spec)).toString(),
        /^said\n\[kontroler: what came after .* is missing: .*\]\n$/,
      )
    })

    /** A child follows the log until that much is there, and is killed. */
    async function killedAfter(place: LogPlace, ref: LogRef, bytes: number): Promise<void> {
      const words = JSON.stringify({ plan: place.plan, ref })
      const child = spawn(process.execPath, [join(import.meta.dirname, 'pod-logs-child.ts'), words], {
        stdio: ['ignore', 'inherit', 'inherit'],
      })
      // A log grows in files on this machine, wherever it is kept afterwards.
      const reader = createFilesystemLogs(place.plan.stateDir)
      while (((await reader.size(refOf(ref))) ?? 0) < bytes) {
        assert.equal(child.exitCode, null, 'the child ended by itself')
        await sleep(50)
      }
      await killed(child)
    }
  })
}

const refOf = ({ run, task, attempt }: LogRef, container?: string): LogRef => ({
  run,
  task,
  attempt,
  ...(container === undefined ? {} : { container }),
})

async function killed(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

/** By how many MiB the memory of this process was larger than now, at most. */
function measured(): () => number {
  const first = process.memoryUsage.rss()
  let most = first
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 50)
  return () => {
    clearInterval(timer)
    return Math.round((most - first) / MIB)
  }
}
