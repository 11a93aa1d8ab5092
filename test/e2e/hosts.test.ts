import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { freshSchema, type ServerOfFile, withServer } from '../contracts/postgres/with-server.ts'
import { type Command, Place, dagText } from './kontroler.ts'

/**
 * Two machines that share a database and nothing else: each has a host name, a boot and a state directory of its own. The
 * other one is a namespace of this machine, so what it runs goes on running whatever becomes of its engine.
 */
const HERE = hostname()
const THERE = `${HERE}-other`

const file = withServer(18)

/** Tasks that tell a file what they are; the first attempt of one, and every one of the other, stays until it is killed. */
const dag = (ledger: string): string => {
  const tell = `echo "$KONTROLER_ATTEMPT_ID on $(hostname)" >>"${ledger}"; echo said`
  return dagText(
    'two',
    `    - {name: again, image: busybox, script: '${tell}; [ "$KONTROLER_ATTEMPT" = 2 ] || sleep 60'}
    - {name: once, image: busybox, onLost: fail, script: '${tell}; sleep 60'}
    - {name: after, image: busybox, runAfter: [again], script: '${tell}'}
`,
  )
}

onTwoHosts(
  'a run that was begun on another machine, resumed here: what ran there is lost, and not run again as the same attempt',
  async ({ here, begun, attempts, ran }) => {
    await begun.killed()
    const refused = await here.run(['run', here.file('other.yaml', dagText('other', TRUE))])
    assert.match(refused.output, /note: run two-\w+ was interrupted/)
    const { code, output } = await here.run(['resume', begun.run])
    assert.equal(code, 1, output)
    assert.match(output, /another machine/)
    assert.deepEqual(await attempts(), [
      'after 1 succeeded SUCCEEDED',
      'again 1 lost LOST',
      'again 2 succeeded SUCCEEDED',
      'once 1 lost LOST',
    ])
    assert.deepEqual(ran(), [
      `after/1 on ${HERE}`,
      `again/1 on ${THERE}`,
      `again/2 on ${HERE}`,
      `once/1 on ${THERE}`,
    ])
    // Its own machine, when it is back, has nothing left to do.
    const late = await begun.place.run(['resume', begun.run])
    assert.match(late.output, /has ended already: failed/)
    assert.equal(ran().length, 4)
  },
)

onTwoHosts(
  'a run that was begun on another machine, cancelled here: nothing more starts, and nobody says that nothing had run',
  async ({ here, begun, attempts, ran }) => {
    await begun.killed()
    const { code, output } = await here.run(['cancel', begun.run])
    assert.equal(code, 0, output)
    assert.match(output, /is cancelled/)
    assert.deepEqual(await attempts(), ['again 1 cancelled CANCELLED', 'once 1 cancelled CANCELLED'])
    for (const { message } of await here.read(store => store.attempts(begun.id)))
      assert.match(message ?? '', /perhaps on another machine, where it may have run/)
    assert.deepEqual(ran(), [`again/1 on ${THERE}`, `once/1 on ${THERE}`])
  },
)

onTwoHosts(
  'an engine of another machine that is silent for long, and wakes when its run was taken over, starts nothing more',
  async ({ here, begun, attempts, ran }) => {
    begun.command.child.kill('SIGSTOP')
    await begun.silent()
    const resumed = await here.run(['resume', begun.run])
    assert.equal(resumed.code, 1, resumed.output)
    begun.command.child.kill('SIGCONT')
    const { code, output } = await begun.command.over
    assert.equal(code, 1, output)
    assert.deepEqual(
      (await attempts()).map(line => line.split(' ').slice(0, 3).join(' ')),
      ['after 1 succeeded', 'again 1 lost', 'again 2 succeeded', 'once 1 lost'],
    )
    assert.equal(new Set(ran()).size, 4)
    assert.equal(ran().length, 4)
  },
)

const TRUE = '    - {name: t, image: busybox, command: ["true"]}\n'

interface TwoHosts {
  /** A place of this machine. */
  readonly here: Place
  /** The run that was begun on the other machine; two of its tasks run. */
  readonly begun: Begun
  /** Each attempt as `task number outcome reason`. */
  readonly attempts: () => Promise<readonly string[]>
  /** Each start that a task has told, as `task/number on host`. */
  readonly ran: () => readonly string[]
}

interface Begun {
  readonly place: Place
  readonly command: Command
  readonly run: string
  readonly id: string
  /** Its engine is dead, and was not heard of for long; its tasks go on. */
  killed(): Promise<void>
  /** Its engine was not heard of for long. */
  silent(): Promise<void>
}

function onTwoHosts(title: string, proof: (hosts: TwoHosts) => Promise<void>): void {
  file.test(title, async (_, t) => {
    if (!mayUnshare(t)) return
    await proof(await twoHosts(t, file))
  })
}

async function twoHosts(t: TestContext, of: ServerOfFile): Promise<TwoHosts> {
  const database = freshSchema(of.server())
  const here = await Place.make(t, { database })
  const boot = here.file('boot', `${randomUUID()}\n`)
  const place = await Place.make(t, { database, through: otherHost(boot) })
  const ledger = join(here.folder, 'ledger')
  const command = place.start(['run', place.file('two.yaml', dag(ledger))])
  const ran = (): readonly string[] => {
    if (!existsSync(ledger)) return []
    const lines = readFileSync(ledger, 'utf8').trim().split('\n')
    return lines.map(line => line.slice(line.indexOf('/') + 1)).toSorted((a, b) => (a < b ? -1 : 1))
  }
  await command.says('again runs')
  await command.says('once runs')
  while (ran().length < 2) await delay(10)
  const [run] = await here.runs()
  assert.ok(run !== undefined)
  const silent = (): Promise<void> =>
    here.read(async store => {
      const engines = (await store.engines()).filter(({ host }) => host === THERE)
      assert.equal(engines.length, 1)
      for (const engine of engines) await store.beat({ ...engine, seenAt: 0 })
    })
  return {
    here,
    begun: {
      place,
      command,
      run: run.name,
      id: run.id,
      silent,
      async killed() {
        command.child.kill('SIGKILL')
        await command.over
        await silent()
      },
    },
    async attempts() {
      const rows = await here.read(store => store.attempts(run.id))
      return rows
        .map(({ task, attempt, outcome, reason }) => `${task} ${attempt} ${outcome} ${reason}`)
        .toSorted((a, b) => (a < b ? -1 : 1))
    },
    ran,
  }
}

/** @param boot  File with the id of its boot. */
function otherHost(boot: string): readonly string[] {
  const enter = 'hostname "$0" && mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"'
  return ['unshare', '--uts', '--mount', '--propagation', 'private', 'sh', '-c', enter, THERE, boot]
}

/** False, having said so, where that is not allowed. */
function mayUnshare(t: TestContext): boolean {
  if (spawnSync('unshare', ['--uts', '--mount', 'hostname', 'any']).status === 0) return true
  const sentence = 'this test needs root on Linux, to give an engine a host name of its own'
  assert.equal(process.env['CI'], undefined, sentence)
  t.skip(`SKIPPED: ${sentence}`)
  return false
}
