import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { ContainerWork } from '../src/core/dag/dag.ts'
import type { Json } from '../src/core/json.ts'
import { ignoredOf as containerIgnores } from '../src/executors/container/ignored.ts'
import { podBody } from '../src/executors/pod/body.ts'
import { ignoredOf as podIgnores } from '../src/executors/pod/ignored.ts'
import { podProblem } from '../src/executors/pod/problem.ts'
import { ignoredOf as processIgnores } from '../src/executors/process/ignored.ts'
import { POD_TEMPLATE_KEYS } from '../src/spec/schema/pod-template.ts'
import { attempt } from './contracts/executor-harness.ts'
import { SURROUNDINGS } from './pods/golden.ts'

const PAGE = 'docs/reference/executors.md'

const work: ContainerWork = {
  kind: 'container',
  image: null,
  command: ['true'],
  args: [],
  script: null,
  scriptInjectorImage: null,
  env: [],
  resources: null,
  podTemplate: null,
}

/** A value that means something for a field; any other field is given a text. */
const SAMPLES: Readonly<Record<string, Json>> = {
  volumes: [{ name: 'v', emptyDir: {} }],
  volumeMounts: [{ name: 'v', mountPath: '/v' }],
  securityContext: { runAsUser: 1000 },
  containerSecurityContext: { readOnlyRootFilesystem: true },
  resources: { limits: { memory: '1Gi' } },
  metadata: { labels: { team: 'data' } },
  containers: [{ name: 'proxy', image: 'envoy' }],
  initContainers: [{ name: 'prepare', image: 'busybox' }],
  ephemeralContainers: [{ name: 'debug', image: 'busybox' }],
  env: [{ name: 'A', value: 'a' }],
  restartPolicy: 'Never',
}

/** Fields that come to a pod by another way: the engine keeps the time, and no pod of ours starts anything again. */
const BY_ENGINE: readonly string[] = ['activeDeadlineSeconds', 'restartPolicy']

const said = (ignored: readonly string[], field: string): boolean =>
  ignored.some(sentence => sentence.startsWith(`podTemplate.${field} is ignored`))

/** What each executor does with a field, asked of the very code that tells people before a run. */
function fieldRow(field: string): readonly string[] {
  const podTemplate = {
    ...(field === 'volumeMounts' ? { volumes: SAMPLES['volumes'] ?? null } : {}),
    [field]: SAMPLES[field] ?? 'text',
  }
  const one = { ...work, podTemplate }
  const say = (ignored: readonly string[]): string => (said(ignored, field) ? 'ignored, said' : 'used')
  return [`\`${field}\``, say(processIgnores(one)), say(containerIgnores(one)), inPod(field, one)]
}

/** Of a pod it is seen in the pod that is made; what is seen nowhere would be ignored in silence. */
function inPod(field: string, given: ContainerWork): string {
  if (BY_ENGINE.includes(field)) return 'used'
  const shape = { run: 'r', task: 'build', work: { ...given, image: 'busybox' } }
  const place = { workdir: '/', image: 'busybox' }
  const spec = attempt(place, shape)
  if (podProblem(spec) !== null) return 'refused, said'
  const without = attempt(place, { ...shape, work: { ...shape.work, podTemplate: null } })
  const [made, plain] = [spec, without].map(one => JSON.stringify(podBody(one, SURROUNDINGS)))
  assert.notEqual(made, plain, `${field} changes nothing`)
  return 'used'
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')

test('the table of pod template fields is what the executors say', () => {
  const rows = POD_TEMPLATE_KEYS.map(fieldRow)
  const generated = table(['`podTemplate` field', 'local process', 'container', 'pod'], rows)
  const [before = '', after = ''] = readFileSync(PAGE, 'utf8').split(/<!-- fields -->[\s\S]*<!-- end -->/)
  const page = `${before}<!-- fields -->\n${generated}\n<!-- end -->${after}`
  if (process.env['UPDATE'] === '1') writeFileSync(PAGE, page)
  assert.equal(readFileSync(PAGE, 'utf8'), page, `${PAGE} is stale: npm run generate`)
})

test('what the page says is ignored is said to be', () => {
  const full: ContainerWork = {
    ...work,
    image: 'busybox',
    scriptInjectorImage: 'busybox',
    resources: { limits: { cpu: 1 } },
    env: [{ name: 'NODE', kind: 'pod', source: {} }],
  }
  const of = (ignored: readonly string[]): readonly string[] => ignored.map(text => text.split(' ')[0] ?? '')
  assert.deepEqual(of(processIgnores(full)), ['image', 'scriptInjectorImage', 'resources', 'env'])
  assert.deepEqual(of(containerIgnores(full)), ['scriptInjectorImage', 'env'])
  assert.deepEqual(of(podIgnores(full)), ['scriptInjectorImage'])
})
