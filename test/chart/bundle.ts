import { readFileSync } from 'node:fs'
import { dump } from 'js-yaml'
import { type Manifest, rendered } from './helm.ts'

/** Files of the chart and beside it that are made, by path; `bundle` makes the one for `kubectl apply -f`. */
export function chartFiles(run: (...args: readonly string[]) => string): ReadonlyMap<string, string> {
  return new Map([
    ['deploy/chart/files/kontroler.json', readFileSync('deploy/grafana/kontroler.json', 'utf8')],
    ['deploy/kontroler.yaml', bundle(run)],
  ])
}

const HEAD = `# Kontroler for \`kubectl apply --server-side -f\`: what the Helm chart makes of its default values, in the namespace
# \`kontroler\`, whose DAGs it looks after. Made by npm run generate; do not edit.
`

function bundle(run: (...args: readonly string[]) => string): string {
  const namespace: Manifest = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'kontroler', labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } },
  }
  return (
    HEAD +
    [namespace, ...rendered(run, {})].map(one => `---\n${dump(plain(one), { lineWidth: 110 })}`).join('')
  )
}

/** Without what only means something to Helm. */
function plain(one: Manifest): Manifest {
  const { labels = {}, annotations = {}, ...metadata } = one.metadata
  const kept = (map: Record<string, string>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(map).filter(
        ([key]) => !key.startsWith('helm.sh/') && key !== 'app.kubernetes.io/managed-by',
      ),
    )
  const [own, notes] = [kept(labels), kept(annotations)]
  return {
    ...one,
    metadata: {
      ...metadata,
      ...(Object.keys(own).length === 0 ? {} : { labels: own }),
      ...(Object.keys(notes).length === 0 ? {} : { annotations: notes }),
    },
  }
}
