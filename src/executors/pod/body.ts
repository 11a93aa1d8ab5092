import type { AttemptSpec, Intended } from '../../ports/executor.ts'
import { fenceLabels, fenceName, hashOf, podName, workspaceName } from './names.ts'

const PREFIX = 'kontroler.greedykomodo'
const esc = (text: string): string => text.replaceAll('$', '$$$$')
type Names = { readonly installation: string; readonly fence: string }

const metadataOf = (ref: Intended, { installation, fence }: Names): Record<string, unknown> => ({
  name: podName(ref),
  namespace: ref.namespace,
  labels: { ...fenceLabels(installation, fence), [`${PREFIX}/run`]: ref.run },
  annotations: { [`${PREFIX}/attempt`]: `${ref.run}/${ref.task}/${ref.attempt}` },
})

export function podBody(spec: AttemptSpec, names: Names & { readonly stopGraceSeconds: number }): Record<string, unknown> {
  const { work } = spec
  const metadata = metadataOf(spec, names)
  const env = [...spec.env, { name: 'KONTROLER_ATTEMPT_ID', value: `${spec.run}/${spec.task}/${spec.attempt}` }, { name: 'KONTROLER_OUTPUT', value: '/dev/termination-log' }, ...(spec.workspace ? [{ name: 'KONTROLER_WORKSPACE', value: '/workspace' }] : [])]
  const last = [...new Map(env.map(({ name, value }) => [name, value]))].map(([name, value]) => ({ name, value: esc(value) }))
  const run = work.script === null ? work.command : work.script.startsWith('#!') ? ['/kontroler/script'] : ['/bin/sh', '/kontroler/script']
  const sources: unknown[] = [{ configMap: { name: fenceName(names.installation, names.fence) } }]
  if (work.script !== null) sources.push({ configMap: { name: scriptName(work.script), items: [{ key: 'script', path: 'script', mode: 0o555 }] } })
  return {
    apiVersion: 'v1', kind: 'Pod',
    metadata: { ...metadata, annotations: { ...(metadata['annotations'] as object), [`${PREFIX}/outputs`]: JSON.stringify(spec.outputs) } },
    spec: {
      restartPolicy: 'Never', automountServiceAccountToken: false, enableServiceLinks: false, dnsPolicy: 'Default',
      terminationGracePeriodSeconds: names.stopGraceSeconds,
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{
        name: 'main', image: work.image, imagePullPolicy: 'IfNotPresent',
        ...(run.length === 0 ? {} : { command: run.map(esc) }), ...(work.args.length === 0 ? {} : { args: work.args.map(esc) }),
        env: last,
        securityContext: { allowPrivilegeEscalation: false },
        volumeMounts: [{ name: 'kontroler', mountPath: '/kontroler', readOnly: true }, ...(spec.workspace ? [{ name: 'workspace', mountPath: '/workspace' }] : [])],
      }],
      volumes: [{ name: 'kontroler', projected: { sources } }, ...(spec.workspace ? [{ name: 'workspace', persistentVolumeClaim: { claimName: workspaceName(spec.run) } }] : [])],
    },
  }
}
export function tombstone(ref: Intended, names: Names): Record<string, unknown> {
  const metadata = metadataOf(ref, names)
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, labels: { ...(metadata['labels'] as object), [`${PREFIX}/tombstone`]: 'true' } },
    spec: { schedulingGates: [{ name: `${PREFIX}/never` }], restartPolicy: 'Never', containers: [{ name: 'main', image: 'none.invalid/never:1' }] } }
}
const scriptName = (script: string): string => `kontroler-script-${hashOf(script)}`
export const scriptMap = (script: string, installation: string): { metadata: { name: string } } & Record<string, unknown> => ({
  apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: scriptName(script), labels: { [`${PREFIX}/installation`]: installation } } as { name: string }, data: { script } })
export const workspaceClaim = (spec: AttemptSpec, installation: string): { metadata: { name: string } } & Record<string, unknown> => ({
  apiVersion: 'v1', kind: 'PersistentVolumeClaim',
  metadata: { name: workspaceName(spec.run), labels: { [`${PREFIX}/installation`]: installation, [`${PREFIX}/run`]: spec.run } } as { name: string },
  spec: spec.pod.workspaceClaim ?? { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } })
