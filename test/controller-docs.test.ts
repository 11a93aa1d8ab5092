import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { type Setting, SETTINGS } from '../src/config/settings.ts'
import { type MetricRow, METRICS, METRICS_GONE } from '../src/controller/metric-table.ts'

const update = process.env['UPDATE'] === '1'

function holds(file: string, text: string): void {
  if (update) writeFileSync(file, text)
  assert.equal(existsSync(file) ? readFileSync(file, 'utf8') : '', text, `${file} is stale: npm run generate`)
}

const cell = (text: string): string => text.replaceAll('|', '\\|')
const rows = (cells: readonly (readonly string[])[]): string =>
  cells.map(row => `| ${row.map(cell).join(' | ')} |`).join('\n')

test('the page of settings is that of the table', () => {
  const settings = Object.entries(SETTINGS as Readonly<Record<string, Setting<unknown, unknown>>>)
  holds(
    'docs/reference/configuration.md',
    `# Configuration of the controller

The controller is told what to do by environment variables and by an optional YAML file, \`--config FILE\`. A variable wins over the file; one that is set to nothing counts as not set. A dot in a key is a level in the file:

\`\`\`yaml
namespaces: [team-a, team-b]
logs:
  kind: s3
  s3:
    bucket: task-logs
\`\`\`

The controller cannot be installed yet ([what is there](../guide/install.md)); this is what it reads. All mistakes are told at once, each with its key and place, and the controller does not start.

${rows([
  ['key', 'variable', 'must be', 'default', 'meaning'],
  ['---', '---', '---', '---', '---'],
  ...settings.map(([key, { env, type, default: value, shown, meaning }]) => [
    `\`${key}\``,
    `\`${env}\``,
    type.allowed,
    shown ?? (value === null ? 'none' : `\`${String(value)}\``),
    meaning,
  ]),
])}

Not settings of Kontroler, and heeded: \`KUBERNETES_SERVICE_HOST\` and \`KUBERNETES_SERVICE_PORT\`, which Kubernetes sets in every container; and with logs in S3 what the [AWS credential chain](https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html) reads, such as \`AWS_ACCESS_KEY_ID\` and \`AWS_ROLE_ARN\`.
`,
  )
})

test('the page of metrics is that of the table', () => {
  const metrics = Object.entries(METRICS as Readonly<Record<string, MetricRow>>)
  holds(
    'docs/reference/metrics.md',
    `# Metrics

The controller serves metrics for Prometheus at \`/metrics\`, port 8080, beside \`/livez\` and \`/readyz\`. It cannot be installed yet ([what is there](../guide/install.md)). With them come the usual ones of the process and of Node (\`process_*\`, \`nodejs_*\`).

Names marked † are those of earlier versions of Kontroler, with the same meaning. Series by task are limited to 5,000 tasks and those by DAG to 5,000 DAGs; what comes later counts under the name \`_other\`.

${rows([
  ['metric', 'type', 'labels', 'meaning'],
  ['---', '---', '---', '---'],
  ...metrics.map(([name, { type, labels, help, kept }]) => [
    `\`${name}\`${kept === true ? ' †' : ''}`,
    type,
    labels.map(label => `\`${label}\``).join(', '),
    help,
  ]),
])}

## Not there any more

${rows([['name', 'instead'], ['---', '---'], ...Object.entries(METRICS_GONE).map(([name, why]) => [`\`${name}\``, why])])}
`,
  )
})
