import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LogHouse, type LogHouseOptions, podLogs } from '../../../test/kubernetes/log-house.ts'
import { TURN_MS } from './log-slots.ts'

const MIB = 1024 * 1024

function story(title: string, body: (house: LogHouse) => Promise<void>, options: LogHouseOptions = {}): void {
  test(title, async () => {
    const house = new LogHouse(options)
    try {
      await body(house)
    } finally {
      await house.collector.close()
    }
    assert.equal(house.store.writersOpen, 0, 'writers that nobody closed')
  })
}

const say = (house: LogHouse, text: string, pod = 'pod', container = 'main'): void =>
  house.kubelet(pod, container).write('stdout', Buffer.from(text), house.nanos)

describe('how often a log is read', () => {
  story('a short task costs one read, after its end, and one flush', async house => {
    house.collector.started(podLogs())
    await house.pass(1000)
    say(house, 'hello\nworld')
    house.kubelet().end()
    assert.equal(await house.until(house.collector.ended(podLogs())), true)
    assert.equal(house.log(), 'hello\nworld')
    assert.deepEqual(
      house.kubelet().requests.map(({ follow, sinceTime }) => [follow, sinceTime]),
      [[false, undefined]],
    )
    assert.equal(house.store.flushes, 0)
  })

  story('a silent task of an hour is looked at every half minute, and no stream stays open', async house => {
    say(house, 'begun\n')
    house.collector.started(podLogs())
    await house.pass(3_600_000)
    assert.ok(house.requests <= 130, `${house.requests} reads`)
    assert.equal(house.kubelet().open_, 0)
    assert.equal(house.log(), 'begun\n')
    say(house, 'done\n')
    house.kubelet().end()
    await house.until(house.collector.ended(podLogs()))
    assert.equal(house.log(), 'begun\ndone\n')
  })

  story(
    'a task that fills its file is followed while its node may rotate it: nothing is lost',
    async house => {
      house.collector.started(podLogs())
      const line = `${'x'.repeat(8000)}\n`
      for (let second = 0; second < 240; second += 1) {
        // Quiet, then 200 KB/s, then 2 MB/s, then a trickle.
        const lines = second < 60 ? 1 : second < 120 ? 25 : second < 150 ? 250 : 1
        for (let count = 0; count < lines; count += 1)
          house
            .kubelet()
            .write('stdout', Buffer.from(`${second}.${count} ${line}`), house.nanos + BigInt(count))
        await house.pass(1000)
        if (second % 10 === 9 && house.kubelet().fileBytes >= 10 * MIB) house.kubelet().rotate()
      }
      assert.ok(house.kubelet().said.length > 60 * MIB)
      assert.equal(house.kubelet().open_, 0, 'it is not followed when it trickles')
      house.kubelet().end()
      await house.until(house.collector.ended(podLogs()))
      assert.ok(house.bytes().equals(house.kubelet().said))
      assert.ok(house.requests < 60, `${house.requests} reads`)
    },
  )

  story('thousands of running pods never mean thousands of streams', async house => {
    const pods = Array.from({ length: 3000 }, (_, index) => podLogs(`pod-${index}`))
    for (const pod of pods) {
      say(house, 'begun\n', pod.pod)
      house.collector.started(pod)
    }
    await house.pass(240_000)
    const most = Math.max(...pods.map(({ pod }) => house.kubelet(pod).openMost))
    assert.equal(most, 1)
    assert.ok(house.openMost <= 64, `${house.openMost} streams`)
    assert.ok(house.requests <= 12_500, `${house.requests} reads in four minutes`)
    assert.ok(pods.every(({ pod }) => house.log(pod) === 'begun\n'))
  })
})

describe('a log that somebody watches', () => {
  story('is live, until nobody does any more', async house => {
    house.collector.started(podLogs())
    await house.pass(60_000)
    const stop = house.collector.watch(podLogs().attempt)
    const stopToo = house.collector.watch(podLogs().attempt)
    await house.pass(10)
    for (let line = 0; line < 5; line += 1) {
      say(house, `line ${line}\n`)
      await house.pass(10)
      assert.ok(house.log().endsWith(`line ${line}\n`))
    }
    stop()
    stop()
    await house.pass(5000)
    assert.equal(house.kubelet().open_, 1)
    stopToo()
    await house.pass(5000)
    assert.equal(house.kubelet().open_, 0)
  })

  story('is live also when the watcher came before the pod', async house => {
    house.collector.watch(podLogs().attempt)
    house.kubelet().become('waiting')
    house.collector.started(podLogs())
    await house.pass(60_000)
    house.kubelet().become('running')
    await house.pass(2000)
    say(house, 'now\n')
    await house.pass(10)
    assert.equal(house.log(), 'now\n')
  })

  story(
    'takes turns with others when there are more than streams',
    async house => {
      const pods = Array.from({ length: 12 }, (_, index) => podLogs(`pod-${index}`))
      for (const pod of pods) {
        house.collector.started(pod)
        house.collector.watch(pod.attempt)
      }
      await house.pass(1000)
      for (const { pod } of pods) say(house, 'line\n', pod)
      await house.pass(6 * TURN_MS)
      for (const { pod } of pods) assert.equal(house.log(pod), 'line\n')
      assert.ok(house.openMost <= 4)
    },
    { streamsMax: 4 },
  )

  story(
    'and all others share so many streams',
    async house => {
      const pods = Array.from({ length: 20 }, (_, index) => podLogs(`pod-${index}`))
      for (const { pod } of pods) {
        say(house, 'line\n'.repeat(100), pod)
        house.kubelet(pod).end()
      }
      await house.until(Promise.all(pods.map(pod => house.collector.ended(pod))))
      assert.equal(house.openMost, 4)
    },
    { streamsMax: 4 },
  )

  story(
    'never holds back the logs of pods that have ended',
    async house => {
      for (let index = 0; index < 12; index += 1) {
        const pod = podLogs(`watched-${index}`)
        house.collector.started(pod)
        house.collector.watch(pod.attempt)
      }
      await house.pass(1000)
      const began = house.clock.now()
      say(house, 'x', 'short')
      house.kubelet('short').end()
      await house.until(house.collector.ended(podLogs('short')))
      assert.ok(house.clock.now() - began < TURN_MS)
    },
    { streamsMax: 4 },
  )
})

describe('what goes wrong', () => {
  story('an answer that was cut where nobody sees it is read on', async house => {
    const text = 'a line\n'.repeat(1000)
    // Wherever it is cut: in a time, in a line, or between two lines.
    for (let cut = 0; cut < 50; cut += 1) {
      const { pod } = podLogs(`cut-${cut}`)
      say(house, text, pod)
      house.kubelet(pod).end()
      house.kubelet(pod).spoilings.push({ afterBytes: 20_000 + cut, how: 'ends' })
      await house.until(house.collector.ended(podLogs(pod)))
      assert.equal(house.log(pod), text, `cut at ${cut}`)
    }
  })

  story('a flush that failed after it had taken effect repeats nothing', async house => {
    say(house, 'one\n')
    house.collector.started(podLogs())
    house.store.failAfterFlush = true
    await house.pass(6000)
    house.store.failAfterFlush = false
    say(house, 'two\n')
    house.kubelet().end()
    await house.until(house.collector.ended(podLogs()))
    assert.equal(house.log(), 'one\ntwo\n')
    assert.equal(house.troubles.length, 1)
  })

  story('lines that the node rotated away are stated as missing, where they are missing', async house => {
    say(house, 'one\n')
    house.collector.started(podLogs())
    await house.pass(10_000)
    say(house, 'never seen\n')
    house.kubelet().rotate()
    say(house, 'two\n')
    house.kubelet().end()
    await house.until(house.collector.ended(podLogs()))
    assert.equal(
      house.log(),
      'one\n[kontroler: lines between 2026-01-01T00:00:00.000000000Z and 2026-01-01T00:00:10.000000000Z may be ' +
        'missing: the node had rotated its file away]\ntwo\n',
    )
    assert.deepEqual(
      house.troubles.map(({ code }) => code),
      ['LOG_GAP'],
    )
  })

  story('a line that goes on into a newer file while it is followed does not come twice', async house => {
    const written = 65 * 1024
    house.collector.started(podLogs())
    house.collector.watch(podLogs().attempt)
    say(house, 'x'.repeat(written))
    await house.pass(0)
    house.kubelet().rotate()
    await house.pass(0)
    // What is left of it is in the newer file, where its follower is led without a time to tell it by.
    house.kubelet().end()
    await house.until(house.collector.ended(podLogs()))
    const [copied = '', notice = ''] = house.log().split('\n')
    assert.ok(/^x+$/u.test(copied) && copied.length > 64_000 && copied.length <= written)
    assert.match(notice, /^\[kontroler: what came after .* is missing: /u)
  })

  story(
    'a container that is gone from its node leaves what was read, and a word about the rest',
    async house => {
      say(house, 'one\n')
      house.collector.started(podLogs())
      await house.pass(10_000)
      house.kubelet().become('gone')
      assert.equal(await house.until(house.collector.ended(podLogs())), true)
      assert.match(
        house.log(),
        /^one\n\[kontroler: what came after 2026-01-01T00:00:00\.000000000Z is missing: .*\]\n$/,
      )
      assert.deepEqual(
        house.troubles.map(({ code }) => code),
        ['LOG_LOST'],
      )
    },
  )

  story('a container that never started has an empty log', async house => {
    house.kubelet().become('waiting')
    house.collector.started(podLogs())
    await house.pass(10_000)
    assert.equal(await house.until(house.collector.ended(podLogs())), true)
    assert.equal(house.log(), '')
    assert.deepEqual(house.troubles, [])
  })

  story(
    'a node that cannot be reached is tried again, and given up after a while',
    async house => {
      say(house, 'one\n')
      house
        .kubelet()
        .spoilings.push(...Array.from({ length: 1000 }, () => ({ afterBytes: 0, how: 'throws' }) as const))
      assert.equal(await house.until(house.collector.ended(podLogs())), true)
      assert.match(house.log(), /^\[kontroler: the log is missing: its node could not be reached\]\n$/)
    },
    { giveUpMs: 60_000 },
  )

  story(
    'a cluster that is away is waited for, however long: nothing is known of the log',
    async house => {
      say(house, 'one\n')
      house.kubelet().end()
      const away = Array.from({ length: 100 }, () => ({ afterBytes: 0, how: 'away' }) as const)
      house.kubelet().spoilings.push(...away)
      assert.equal(await house.until(house.collector.ended(podLogs())), true)
      assert.equal(house.log(), 'one\n')
      assert.deepEqual(house.troubles, [])
    },
    { giveUpMs: 60_000 },
  )

  story('a full disk holds the log on its node until there is room, however long that takes', async house => {
    say(house, 'one\n')
    house.store.full = true
    house.kubelet().end()
    const ended = house.collector.ended(podLogs())
    await house.pass(7_200_000)
    assert.ok(house.troubles.every(({ code }) => code === 'LOG_DISK_FULL') && house.troubles.length > 10)
    house.store.full = false
    assert.equal(await house.until(ended), true)
    assert.equal(house.log(), 'one\n')
  })
})

describe('a log that is longer than it may be', () => {
  const bound = { bytesMax: 100 }

  story(
    'is cut and says so, and is durable while the task goes on',
    async house => {
      house.collector.started(podLogs())
      say(house, `${'x'.repeat(89)}\n${'y'.repeat(89)}\n`)
      await house.pass(60_000)
      const notice = '[kontroler: the rest is not kept: a log may have 100 bytes (logs.maxBytes)]\n'
      const cut = `${'x'.repeat(89)}\n${'y'.repeat(10)}\n${notice}`
      assert.equal(house.log(), cut)
      assert.equal(await house.store.isComplete(podLogs().attempt), true)
      const before = house.requests
      say(house, 'z\n')
      await house.pass(600_000)
      assert.equal(house.requests, before, 'it is not read any more')
      house.kubelet().end()
      assert.equal(await house.until(house.collector.ended(podLogs())), true)
      assert.equal(house.log(), cut)
      assert.deepEqual(
        house.troubles.map(({ code }) => code),
        ['LOG_CUT'],
      )
    },
    bound,
  )

  story(
    'is cut at the same place by the next engine, which knows how long it is already',
    async house => {
      house.collector.started(podLogs())
      say(house, `${'x'.repeat(89)}\n`)
      await house.pass(60_000)
      house.kill()
      house.collector.adopt(podLogs())
      say(house, `${'y'.repeat(9)}\n`)
      await house.pass(60_000)
      assert.equal(house.log(), `${'x'.repeat(89)}\n${'y'.repeat(9)}\n`, 'as long as it may be')
      say(house, 'z\n')
      house.kubelet().end()
      assert.equal(await house.until(house.collector.ended(podLogs())), true)
      assert.match(house.log(), /^x{89}\ny{9}\n\[kontroler: the rest is not kept: .*\]\n$/)
    },
    bound,
  )
})

describe('a log whose beginning may be gone', () => {
  /** A file is rotated away before anybody has looked at it. */
  const chatty = async (house: LogHouse, bytesOfSecond: number): Promise<void> => {
    for (let second = 0; second < 20; second += 1) {
      say(house, `${'x'.repeat(bytesOfSecond)}\n`)
      await house.pass(1000)
      if (second === 9 && house.kubelet().fileBytes >= 10 * MIB) house.kubelet().rotate()
    }
  }
  const late = { limits: { firstReadMs: 15_000 } }
  const pod = (house: LogHouse) => ({ ...podLogs(), began: { main: house.clock.now() } })

  story(
    'says so at its end',
    async house => {
      house.collector.started(pod(house))
      await chatty(house, 2 * MIB)
      house.kubelet().end()
      await house.until(house.collector.ended(podLogs()))
      assert.match(house.log().slice(-300), /\n\[kontroler: lines before .* may be missing: .*\]\n$/)
      assert.deepEqual(
        house.troubles.map(({ code }) => code),
        ['LOG_GAP'],
      )
    },
    late,
  )

  story(
    'is whole when it began with its container, or came too slowly to fill a file',
    async house => {
      const begun = pod(house)
      say(house, 'begun\n')
      house.collector.started(begun)
      await chatty(house, 20_000)
      house.kubelet().end()
      await house.until(house.collector.ended(podLogs()))
      assert.ok(house.bytes().equals(house.kubelet().said))
      assert.deepEqual(house.troubles, [])
    },
    late,
  )
})

describe('a pod that went while nobody looked', () => {
  story('ends its log with what is missing; one that never said a word gets none', async house => {
    say(house, 'one\n')
    house.collector.started(podLogs())
    await house.pass(10_000)
    house.kill()
    await house.collector.lost(podLogs().attempt)
    assert.match(house.log(), /^one\n\[kontroler: what came after .* is missing: .*\]\n$/)
    assert.equal(await house.store.isComplete(podLogs().attempt), true)
    await house.collector.lost(podLogs('silent').attempt)
    assert.equal(await house.store.size(podLogs('silent').attempt), null)
  })

  story('leaves a log alone that is whole already', async house => {
    say(house, 'one\n')
    house.kubelet().end()
    await house.until(house.collector.ended(podLogs()))
    await house.collector.lost(podLogs().attempt)
    assert.equal(house.log(), 'one\n')
  })
})

describe('another engine', () => {
  story('goes on where the one before was killed', async house => {
    say(house, 'one\n')
    house.collector.started(podLogs())
    await house.pass(10_000)
    house.kill()
    say(house, 'two\n')
    house.collector.adopt(podLogs())
    await house.pass(10_000)
    assert.equal(house.log(), 'one\ntwo\n')
    house.kill()
    house.kubelet().end()
    assert.equal(await house.until(house.collector.ended(podLogs())), true)
    assert.equal(house.log(), 'one\ntwo\n')
  })

  story('asks for nothing when the log was complete, even if the pod is gone', async house => {
    say(house, 'one\n')
    house.kubelet().end()
    await house.until(house.collector.ended(podLogs()))
    house.kill()
    house.kubelet().become('gone')
    const before = house.requests
    house.collector.adopt(podLogs())
    assert.equal(await house.until(house.collector.ended(podLogs())), true)
    assert.equal(house.requests, before)
    assert.equal(house.log(), 'one\n')
  })

  story('is told that the log is not durable when the first one closes', async house => {
    house.store.full = true
    const ended = house.collector.ended(podLogs())
    await house.pass(1000)
    await house.collector.close()
    assert.equal(await ended, false)
  })
})

describe('pods of several containers', () => {
  story('have a log for each, also for one that became known late', async house => {
    for (const container of ['main', 'setup', 'proxy']) say(house, `${container}\n`, 'pod', container)
    house.collector.started(podLogs('pod', ['setup']))
    await house.pass(10_000)
    const pod = podLogs('pod', ['setup', 'proxy'])
    house.collector.started(pod)
    for (const container of ['main', 'setup', 'proxy']) house.kubelet('pod', container).end()
    await house.until(house.collector.ended(pod))
    assert.equal(house.log('pod'), 'main\n')
    assert.equal(house.log('pod', 'setup'), 'setup\n')
    assert.equal(house.log('pod', 'proxy'), 'proxy\n')
    assert.deepEqual(await house.store.containers(pod.attempt), ['proxy', 'setup'])
  })

  story('are forgotten with their run', async house => {
    house.collector.started(podLogs())
    await house.pass(10_000)
    await house.collector.forget(({ task }) => task === podLogs().attempt.task)
    const before = house.requests
    await house.pass(600_000)
    assert.equal(house.requests, before)
  })
})
