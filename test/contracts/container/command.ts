import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Place } from '../../e2e/kontroler.ts'
import { type Daemon, IMAGE } from './daemon.ts'

/** What an engine over this daemon is started with. */
export const environmentOf = ({ dialect, socket }: Daemon): Record<string, string> => ({
  KONTROLER_EXECUTOR: dialect,
  KONTROLER_CONTAINER_NETWORK: 'none',
  DOCKER_HOST: dialect === 'docker' ? `unix://${socket}` : 'unix:///no/such.sock',
  CONTAINER_HOST: dialect === 'podman' ? `unix://${socket}` : 'unix:///no/such.sock',
})

const DAG = `apiVersion: kontroler.greedykomodo/v1alpha1
kind: DAG
metadata: {name: two}
spec:
  workspace: {enable: true}
  task:
    - name: first
      image: ${IMAGE}
      command: [sh, -c, 'echo first >> "$KONTROLER_WORKSPACE/ran"; echo up; sleep 1.5; echo over']
    - name: second
      image: ${IMAGE}
      runAfter: [first]
      command: [sh, -c, 'echo second >> "$KONTROLER_WORKSPACE/ran"; cat "$KONTROLER_WORKSPACE/ran"']
`

/**
 * An engine is killed while its task runs in a container; the next one uses processes. The task goes on as what it is, and
 * the one after it is a process in the same workspace.
 */
export async function resumedWithProcesses(t: TestContext, daemon: Daemon): Promise<void> {
  const place = await Place.make(t)
  const env = environmentOf(daemon)
  const file = place.file('two.yaml', DAG)
  const killed = place.start(['run', file, '-o', 'lines'], { env })
  await killed.says('first runs')
  killed.child.kill('SIGKILL')
  await killed.over
  const resumed = await place.run(['resume', '@last', '--executor', 'process', '-o', 'lines'], { env })
  assert.equal(resumed.code, 0, resumed.output)
  const logs = await place.run(['logs', '@last'], { env })
  assert.deepEqual(logs.output.match(/\b(?:up|over|first|second)$/gm)?.toSorted(), [
    'first',
    'over',
    'second',
    'up',
  ])
  assert.equal(daemon.client('ps', '-aq', '--filter', 'label=io.kontroler.dag=two').stdout.trim(), '')
}

/** `auto` takes what answers, and says so. */
export async function chosenByItself(t: TestContext, daemon: Daemon): Promise<void> {
  const place = await Place.make(t)
  const file = place.file('two.yaml', DAG.replace('sleep 1.5', 'true'))
  const { output, code } = await place.run(['run', file, '--executor', 'auto', '-o', 'lines'], {
    env: environmentOf(daemon),
  })
  assert.equal(code, 0, output)
  const name = daemon.dialect === 'docker' ? 'Docker' : 'Podman'
  assert.match(
    output,
    new RegExp(`^note: tasks run in containers of ${name} \\S+ \\(${daemon.socket}\\)$`, 'm'),
  )
}
