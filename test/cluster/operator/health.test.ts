import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'

/** Runs the script as Argo CD does: with the object as `obj`, without any library beyond the basic ones. */
function healthOf(object: object): string {
  const program = `
    obj = ${luaOf(object)}
    os, io, require, package, debug = nil
    local health = dofile_text()
    print_out(health.status .. "|" .. health.message)`
  const setup = `
    local file = io.open("deploy/argocd/health.lua")
    local text = file:read("a")
    file:close()
    local write = io.write
    function print_out(line) write(line) end
    dofile_text = load(text, "health", "t")`
  return execFileSync('lua5.4', ['-e', setup + program], { encoding: 'utf8' })
}

function luaOf(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(luaOf).join(', ')}}`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, item]) => `[${JSON.stringify(key)}] = ${luaOf(item)}`)
      .join(', ')}}`
  return JSON.stringify(value)
}

const conditions = (type: 'Ready' | 'Reconciling' | 'Stalled', message = 'why'): object[] =>
  ['Ready', 'Reconciling', 'Stalled'].map(name => ({
    type: name,
    status: name === type ? 'True' : 'False',
    message: name === type ? message : '',
  }))
const object = (kind: string, status: object | undefined, spec: object = {}): object => ({
  kind,
  metadata: { name: 'x', generation: 2 },
  spec,
  ...(status === undefined ? {} : { status }),
})

const table: readonly (readonly [what: string, object: object, health: string])[] = [
  ['nothing is known yet', object('DAG', undefined), 'Progressing|not looked at yet'],
  [
    'the change was not seen yet',
    object('DAG', { observedGeneration: 1, conditions: conditions('Ready') }),
    'Progressing|the change was not looked at yet',
  ],
  [
    'a DAG in force',
    object('DAG', { observedGeneration: 2, conditions: conditions('Ready') }),
    'Healthy|why',
  ],
  ['a DAG with problems', object('DAG', { conditions: conditions('Stalled') }), 'Degraded|why'],
  [
    'a DAG that waits for its DagTask',
    object('DAG', { conditions: conditions('Reconciling') }),
    'Progressing|why',
  ],
  [
    'a DAG that is suspended',
    object('DAG', { conditions: conditions('Ready') }, { suspended: true }),
    'Suspended|its schedules are suspended',
  ],
  [
    'a run under way',
    object('DagRun', { phase: 'running', conditions: conditions('Reconciling') }),
    'Progressing|why',
  ],
  [
    'a run that is paused',
    object('DagRun', { phase: 'paused', message: 'held', conditions: conditions('Reconciling') }),
    'Suspended|held',
  ],
  [
    'a run that succeeded',
    object('DagRun', { phase: 'succeeded', conditions: conditions('Ready') }),
    'Healthy|why',
  ],
  [
    'a run that failed',
    object('DagRun', { phase: 'failed', conditions: conditions('Stalled') }),
    'Degraded|why',
  ],
  ['a DagTask', object('DagTask', { conditions: conditions('Ready') }), 'Healthy|why'],
]
for (const [what, given, health] of table) {
  test(`health for Argo CD: ${what}`, () => assert.equal(healthOf(given), health))
}
