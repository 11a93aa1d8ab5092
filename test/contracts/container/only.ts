import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { workspacePath } from '../../../src/core/run/attempt-path.ts'
import type { Json } from '../../../src/core/json.ts'
import type { Dialect } from '../../../src/executors/container/container-engine.ts'
import { containerName } from '../../../src/executors/container/names.ts'
import { emptyByContainer } from '../../../src/executors/container/remove-folder.ts'
import { stateIdentity } from '../../../src/executors/state-identity.ts'
import { attempt, logHolds, logText, Watched } from '../executor-harness.ts'
import { chosenByItself, resumedWithProcesses } from './command.ts'
import { notRun } from './contract.ts'
import { killedAtRandom } from './crash.ts'
import { type Daemon, IMAGE, startDaemon, whyNoDaemon } from './daemon.ts'
import { type ContainerPlace, containerPlace } from './place.ts'

type Proof = (place: ContainerPlace, daemon: Daemon, t: TestContext) => Promise<void>
type Rule = (says: string, proof: Proof) => void

/** How often an engine is killed; `KONTROLER_TEST_ROUNDS=100` tries harder. */
const CRASHES = Number(process.env['KONTROLER_TEST_ROUNDS'] ?? '4')

/** What only containers do, against a daemon that is started for it. */
export function containerRules(dialect: Dialect): void {
  const why = whyNoDaemon(dialect)
  if (why !== null) return notRun(why)
  describe(`containers of ${dialect} by themselves`, () => {
    let daemon: Daemon
    before(async () => {
      daemon = await startDaemon(dialect)
    })
    after(() => daemon.remove())
    const rule: Rule = (says, proof) =>
      void test(says, { timeout: 120_000 }, async t => {
        const place = containerPlace(await daemon.engine())
        try {
          await proof(place, daemon, t)
          assert.deepEqual(await place.leftovers(), [])
        } finally {
          await place.remove()
        }
      })
    settings(rule, dialect)
    images(rule)
    names(rule)
    outside(rule, dialect)
  })
}

function settings(rule: Rule, dialect: Dialect): void {
  const says = async (place: ContainerPlace, sh: string, podTemplate: Json): Promise<string> => {
    const spec = attempt(place, { sh, work: { podTemplate } })
    const outcome = await new Watched(place).run(spec)
    assert.equal(outcome.kind, 'succeeded', JSON.stringify(outcome))
    return await logText(place, spec)
  }

  rule('user and group are those of the security context, that of the container first', async place => {
    const securityContext = { runAsUser: 1000, runAsGroup: 2000, supplementalGroups: [3000] }
    assert.equal(await says(place, 'id -u; id -g; id -G', { securityContext }), '1000\n2000\n2000 3000\n')
    const containerSecurityContext = { runAsUser: 1001 }
    assert.equal(await says(place, 'id -u', { securityContext, containerSecurityContext }), '1001\n')
  })

  rule('any user can write outputs and the workspace', async place => {
    const podTemplate = { securityContext: { runAsUser: 1234 } }
    const sh =
      'echo a=1 >> "$KONTROLER_OUTPUT"; echo x > "$KONTROLER_WORKSPACE/x"; echo "$KONTROLER_WORKSPACE"'
    const spec = attempt(place, { sh, work: { podTemplate }, outputs: ['a'], workspace: true })
    assert.deepEqual((await new Watched(place).run(spec)).outputs, { a: '1' })
    assert.equal(await logText(place, spec), '/workspace\n')
  })

  rule('a read-only root cannot be written to, an emptyDir can', async place => {
    const podTemplate = {
      containerSecurityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
      volumes: [
        { name: 'scratch', emptyDir: {} },
        { name: 'fast', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      ],
      volumeMounts: [
        { name: 'scratch', mountPath: '/scratch' },
        { name: 'fast', mountPath: '/fast' },
      ],
    }
    const sh = `touch /x 2>/dev/null || echo no; touch /scratch/x && echo yes; touch /fast/x && echo yes
      grep -E '^(CapEff|NoNewPrivs)' /proc/self/status | tr -d '\\t'; grep -c '^tmpfs /fast .*size=1024k' /proc/mounts`
    const expected = 'no\nyes\nyes\nCapEff:0000000000000000\nNoNewPrivs:1\n1\n'
    assert.equal(await says(place, sh, podTemplate), expected)
  })

  rule('a directory of this machine is mounted as hostPath, read-only when said so', async place => {
    const folder = join(place.stateDir, 'given')
    mkdirSync(folder)
    writeFileSync(join(folder, 'file'), 'from outside\n')
    const podTemplate = {
      volumes: [{ name: 'given', hostPath: { path: folder } }],
      volumeMounts: [{ name: 'given', mountPath: '/given', readOnly: true }],
      workingDir: '/given',
    }
    assert.equal(
      await says(place, 'cat file; touch file2 2>/dev/null || echo no', podTemplate),
      'from outside\nno\n',
    )
  })

  rule('without settings: no new privileges, an init process that reaps, no engine socket', async place => {
    const sh = `grep NoNewPrivs /proc/self/status | tr -d '\\t'; (sleep 0.05 &) ; sleep 0.2; ps -o stat | grep -c Z`
    assert.equal(await says(place, `${sh}; true`, null), 'NoNewPrivs:1\n0\n')
  })

  rule('a task that uses more memory than its limit ends as that', async place => {
    const resources = { limits: { memory: '32Mi', cpu: '500m' } }
    const spec = attempt(place, { work: { command: ['tail', '/dev/zero'], resources } })
    const outcome = await new Watched(place).run(spec)
    assert.equal(outcome.exitCode, 137)
    // Podman tells it on unified cgroups only.
    if (dialect === 'podman' && outcome.kind === 'exitCode') return
    assert.deepEqual([outcome.kind, outcome.reason], ['oomKilled', 'OOM_KILLED'])
    assert.match(outcome.message ?? '', /33554432 bytes/)
  })

  rule('variables hold newlines, and no value is in an argument of any process', async place => {
    const watched = new Watched(place)
    const env = [{ name: 'PEM', value: '-----BEGIN\ns3cret-Line\n-----END\n' }]
    const sh = 'printf %s "$PEM" | wc -l; echo up; sleep 60'
    const spec = attempt(place, { sh, env, secretNames: ['PEM'] })
    watched.executor.start(spec)
    await logHolds(place, spec, 'up')
    assert.match(await logText(place, spec), /^3\nup/)
    assert.deepEqual(argumentsWith('s3cret-Line'), [])
    watched.executor.stop(spec, 0)
    await watched.ended(spec)
  })

  rule('what a container ignores is said', async place => {
    const { executor } = new Watched(place)
    const { work } = attempt(place, {
      work: {
        resources: { limits: { memory: '1Gi', 'nvidia.com/gpu': 1 } },
        podTemplate: {
          tolerations: [{ operator: 'Exists' }],
          containerSecurityContext: { privileged: true, runAsUser: 1 },
          volumes: [{ name: 'config', configMap: { name: 'x' } }],
          volumeMounts: [{ name: 'config', mountPath: '/config' }],
        },
      },
    })
    assert.deepEqual(executor.ignores(work), [
      'podTemplate.tolerations is ignored: there is only this machine',
      'podTemplate.containerSecurityContext.privileged is ignored: a task never gets the whole machine',
      'resources.limits.nvidia.com/gpu is ignored: a local container is limited in cpu and memory',
      'podTemplate.volumes (config) is ignored: a local container has emptyDir and hostPath',
    ])
  })
}

function images(rule: Rule): void {
  rule('an image that may not be pulled and is not there is an image error', async place => {
    const work = { command: ['true'], image: '127.0.0.1:1/none', podTemplate: { imagePullPolicy: 'Never' } }
    const outcome = await new Watched(place).run(attempt(place, { work }))
    assert.deepEqual([outcome.kind, outcome.reason], ['imageError', 'IMAGE_ERROR'])
    assert.match(outcome.message ?? '', /imagePullPolicy is Never/)
  })

  rule('a registry that is down, denies or does not know the image: its sentence', async place => {
    const watched = new Watched(place)
    const down = await watched.run(
      attempt(place, { work: { command: ['true'], image: '127.0.0.1:1/team/app:1' } }),
    )
    assert.equal(down.kind, 'imageError')
    assert.match(down.message ?? '', /refused/)
    for (const [status, code, words] of [
      [401, 'UNAUTHORIZED', /unauthorized|denied|401/iu],
      [404, 'MANIFEST_UNKNOWN', /unknown|not found/iu],
    ] as const) {
      const registry = await fakeRegistry(status, code)
      try {
        const image = `127.0.0.1:${registry.port}/team/app:1`
        const outcome = await watched.run(attempt(place, { work: { command: ['true'], image } }))
        assert.equal(outcome.kind, 'imageError')
        assert.match(outcome.message ?? '', words)
        assert.ok(place.said.includes(`pulling image ${image}`))
        assert.ok(registry.asked.length > 0)
      } finally {
        registry.close()
      }
    }
  })

  rule('an attempt that is stopped while its image comes never starts', async place => {
    const registry = await fakeRegistry(null, '')
    try {
      const watched = new Watched(place)
      const image = `127.0.0.1:${registry.port}/slow/app:1`
      const spec = attempt(place, { work: { command: ['true'], image } })
      watched.executor.start(spec)
      while (registry.asked.length === 0) await delay(10)
      watched.executor.stop(spec, 1000)
      assert.equal((await watched.ended(spec)).kind, 'cancelled')
    } finally {
      registry.close()
    }
  })
}

function names(rule: Rule): void {
  rule('a name that is taken by a container of somebody else is not touched', async (place, daemon) => {
    const spec = attempt(place, { sh: 'true' })
    const name = containerName(stateIdentity(place.stateDir), spec)
    assert.equal(daemon.client('create', '--name', name, IMAGE, 'true').status, 0)
    const outcome = await new Watched(place).run(spec)
    assert.deepEqual([outcome.kind, outcome.reason], ['configError', 'CONFIG_ERROR'])
    assert.match(outcome.message ?? '', /taken by a container of somebody else/)
    assert.equal(daemon.client('inspect', '--format', '{{.State.Status}}', name).stdout.trim(), 'created')
    daemon.client('rm', '--force', name)
  })

  rule(
    'the end of a run removes its containers, and a new engine those whose end is recorded',
    async (place, daemon) => {
      const watched = new Watched(place)
      const [one, other] = [attempt(place, { sh: 'true' }), attempt(place, { sh: 'true', run: 'run-2' })]
      await watched.run(one)
      await watched.run(other)
      const count = (): number =>
        daemon
          .client('ps', '-aq', '--filter', 'label=io.kontroler.state')
          .stdout.trim()
          .split('\n')
          .filter(id => id !== '').length
      assert.equal(count(), 2)
      await watched.executor.endRun('run-1', { removeWorkspace: false })
      assert.equal(count(), 1)
      await watched.executor.close()
      await new Watched(place).executor.close()
      assert.equal(count(), 0)
      assert.equal((await new Watched(place).run(one)).kind, 'succeeded')
    },
  )

  rule('what a container left in a folder as another user is removed by a container', async place => {
    const sh =
      'mkdir -p "$KONTROLER_WORKSPACE/a/.b"; touch "$KONTROLER_WORKSPACE/a/.b/c" "$KONTROLER_WORKSPACE/.d"'
    const spec = attempt(place, { sh, workspace: true })
    await new Watched(place).run(spec)
    const folder = join(place.stateDir, workspacePath(spec.run))
    assert.deepEqual(readdirSync(folder).toSorted(), ['.d', 'a'])
    await emptyByContainer(place.engine, folder, `${IMAGE}:latest`)
    assert.deepEqual(readdirSync(folder), [])
  })

  rule('files are open to their owner only, and no secret is among them', async place => {
    const env = [{ name: 'TOKEN', value: 's3cret-value' }]
    const spec = attempt(place, {
      work: { script: 'echo "${#TOKEN}"; sleep 60' },
      env,
      secretNames: ['TOKEN'],
    })
    const watched = new Watched(place)
    watched.executor.start(spec)
    await logHolds(place, spec, '12')
    assert.equal(statSync(place.folder(spec)).mode & 0o777, 0o700)
    for (const name of ['record', 'log', 'script'])
      assert.ok(!readFileSync(join(place.folder(spec), name), 'latin1').includes('s3cret'))
    watched.executor.stop(spec, 0)
    await watched.ended(spec)
  })
}

function outside(rule: Rule, dialect: Dialect): void {
  rule(
    'killed from outside, it ends with the code of that; removed from outside, nobody knows',
    async (place, daemon) => {
      const watched = new Watched(place)
      for (const [command, kind, code] of [
        [['kill'], 'exitCode', 137],
        [['rm', '--force'], 'lost', null],
      ] as const) {
        const spec = attempt(place, { sh: 'echo up; sleep 60' })
        watched.executor.start(spec)
        await logHolds(place, spec, 'up')
        daemon.client(...command, containerName(stateIdentity(place.stateDir), spec))
        const outcome = await watched.ended(spec)
        // Podman tells the code of what it removes by force before it is gone.
        const expected = dialect === 'podman' && outcome.exitCode === 137 ? ['exitCode', 137] : [kind, code]
        assert.deepEqual([outcome.kind, outcome.exitCode], expected)
        assert.equal(await logText(place, spec), 'up\n')
      }
    },
  )

  rule(
    `engines are killed at ${CRASHES} moments: nothing runs twice, and nothing is told that was not`,
    (place, daemon) => killedAtRandom(place, daemon, CRASHES),
  )

  rule(
    'a run whose engine was killed is resumed with processes: its container stays one',
    (_place, daemon, t) => resumedWithProcesses(t, daemon),
  )

  rule('auto takes the engine that answers, and says so', (_place, daemon, t) => chosenByItself(t, daemon))

  rule(
    'an engine that died between its claim and the start: the attempt never starts, and says so',
    async (place, daemon) => {
      const watched = new Watched(place)
      const spec = attempt(place, { sh: 'echo ran' })
      const name = containerName(stateIdentity(place.stateDir), spec)
      assert.equal(daemon.client('create', '--name', name, IMAGE, 'echo', 'ran').status, 0)
      const id = daemon.client('inspect', '--format', '{{.Id}}', name).stdout.trim()
      const owner = { pid: 1, processStart: 'long ago', bootId: 'another', host: 'here', nonce: 'n' }
      mkdirSync(place.folder(spec), { recursive: true })
      writeFileSync(
        join(place.folder(spec), 'record'),
        JSON.stringify({ claim: { container: id, owner, outputs: [] } }),
      )
      const outcome = await watched.run(spec)
      assert.deepEqual([outcome.kind, outcome.reason], ['startError', 'START_ERROR'])
      // Its late start comes to nothing: that container is not there any more.
      assert.notEqual(daemon.client('start', id).status, 0)
      assert.deepEqual(watched.kinds(spec), ['ended'])
    },
  )

  rule('a container that has run although the claim was lost is not run again', async (place, daemon) => {
    const watched = new Watched(place)
    const spec = attempt(place, { sh: 'echo ran; exit 3' })
    await watched.run(spec)
    const folder = place.folder(spec)
    // As after a power cut that took the youngest files.
    for (const file of ['record', 'end']) rmSync(join(folder, file))
    const again = await new Watched(place).run(spec)
    assert.equal(again.exitCode, 3)
    assert.equal(await logText(place, spec), 'ran\n')
    assert.equal(
      daemon
        .client('ps', '-aq', '--filter', `name=${containerName(stateIdentity(place.stateDir), spec)}`)
        .stdout.trim()
        .split('\n').length,
      1,
    )
  })

  rule(
    'the daemon is stopped for a while: starts wait, say so once, and go on by themselves',
    async (place, daemon) => {
      const watched = new Watched(place)
      await watched.run(attempt(place, { sh: 'true' }))
      await daemon.stop()
      const specs = [1, 2, 3].map(() => attempt(place, { sh: 'echo ran' }))
      for (const spec of specs) watched.executor.start(spec)
      while (!place.said.some(text => text.startsWith('CONTAINER_ENGINE_UNREACHABLE'))) await delay(10)
      assert.deepEqual(
        specs.flatMap(spec => watched.kinds(spec)),
        [],
      )
      const never = attempt(place, { sh: 'echo ran' })
      watched.executor.start(never)
      watched.executor.stop(never, 1000)
      assert.equal((await watched.ended(never)).kind, 'cancelled')
      await daemon.start()
      for (const spec of specs) {
        assert.equal((await watched.ended(spec)).kind, 'succeeded')
        assert.equal(await logText(place, spec), 'ran\n')
      }
      assert.equal(place.said.filter(text => text.startsWith('CONTAINER_ENGINE_UNREACHABLE')).length, 1)
      assert.equal(place.said.filter(text => text.startsWith('CONTAINER_ENGINE_BACK')).length, 1)
    },
  )

  rule(
    'the daemon is restarted while a task runs: what became of the task is told',
    async (place, daemon) => {
      const watched = new Watched(place)
      const spec = attempt(place, { sh: 'echo up; sleep 2; echo over' })
      watched.executor.start(spec)
      await logHolds(place, spec, 'up')
      await daemon.stop()
      await daemon.start()
      const outcome = await watched.ended(spec)
      // Docker ends its containers with itself; those of Podman do not depend on its service.
      if (dialect === 'podman') assert.equal(outcome.kind, 'succeeded', JSON.stringify(outcome))
      else assert.deepEqual([outcome.kind, outcome.reason], ['disrupted', 'DISRUPTED'])
      assert.equal(await logText(place, spec), dialect === 'podman' ? 'up\nover\n' : 'up\n')
    },
  )
}

/** Processes of this machine that have this text in an argument. */
const argumentsWith = (text: string): string[] =>
  readdirSync('/proc').filter(pid => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text)
    } catch {
      return false
    }
  })

interface FakeRegistry {
  readonly port: number
  readonly asked: string[]
  close(): void
}

/** A registry that says no; with no status it never answers about the image. */
async function fakeRegistry(status: number | null, code: string): Promise<FakeRegistry> {
  const asked: string[] = []
  const server = createServer((request, answer) => {
    const path = request.url ?? ''
    if (path === '/v2/')
      return answer.writeHead(200, { 'docker-distribution-api-version': 'registry/2.0' }).end('{}')
    asked.push(path)
    if (status === null) return
    const body = JSON.stringify({ errors: [{ code, message: code.toLowerCase().replace('_', ' ') }] })
    answer.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
