import * as z from 'zod'
import { quantity, text, textMap } from './shapes.ts'

const open = z.looseObject({})
const openList = z.array(open)

/** Keys of the upstream template. It is flat: fields of the pod and of its main container side by side. */
const upstream = {
  volumes: z
    .array(z.looseObject({ name: text.describe('Name that mounts refer to.') }))
    .describe('Volumes of every kind that core/v1 knows.')
    .optional(),
  volumeMounts: z
    .array(
      z.looseObject({
        name: text.describe('Name of a volume.'),
        mountPath: text.describe('Where it appears in the container.'),
        readOnly: z.boolean().describe('Mounted read-only.').optional(),
        subPath: text.describe('Path within the volume.').optional(),
      }),
    )
    .describe('Mounts of the task container.')
    .optional(),
  imagePullSecrets: z
    .array(z.looseObject({ name: text.describe('Name of the Secret.') }))
    .describe('Secrets to pull images with.')
    .optional(),
  securityContext: z
    .looseObject({
      fsGroup: z.int().describe('Group that owns the volumes.').optional(),
      runAsUser: z.int().describe('User id of the processes.').optional(),
      runAsGroup: z.int().describe('Group id of the processes.').optional(),
      runAsNonRoot: z.boolean().describe('Refuse to run as root.').optional(),
    })
    .describe('Security settings of the pod.')
    .optional(),
  nodeSelector: textMap.describe('Labels that the node must have.').optional(),
  tolerations: z
    .array(
      z.looseObject({
        key: text.describe('Key of the taint.').optional(),
        operator: text.describe('Exists or Equal.').optional(),
        value: text.describe('Value of the taint.').optional(),
        effect: text.describe('Effect of the taint.').optional(),
        tolerationSeconds: z.int().describe('How long a NoExecute taint is tolerated.').optional(),
      }),
    )
    .describe('Taints that the pod tolerates.')
    .optional(),
  affinity: z
    .looseObject({
      nodeAffinity: open.describe('Rules on nodes.').optional(),
      podAffinity: open.describe('Rules on being near other pods.').optional(),
      podAntiAffinity: open.describe('Rules on being away from other pods.').optional(),
    })
    .describe('Where the pod may or should run.')
    .optional(),
  serviceAccountName: text.describe('Service account of the pod.').optional(),
  activeDeadlineSeconds: z
    .int()
    .min(1)
    .describe('Longest an attempt may run, in seconds; `timeout` wins when both are given.')
    .optional(),
  automountServiceAccountToken: z
    .boolean()
    .describe('Mount a token for the API server.')
    .meta({ default: false })
    .optional(),
  resources: z
    .looseObject({
      limits: z.record(z.string(), quantity).describe('Most that the container may use.').optional(),
      requests: z.record(z.string(), quantity).describe('What is set aside for the container.').optional(),
    })
    .describe('Resources of the task container; the task’s own `resources` win.')
    .optional(),
}

/** The rest of the PodSpec, and of the container where the name is not taken by the pod. */
const podSpec = {
  metadata: z
    .looseObject({
      labels: textMap.describe('Labels of the pod.').optional(),
      annotations: textMap.describe('Annotations of the pod.').optional(),
    })
    .describe('Labels and annotations of the pod.')
    .optional(),
  containers: openList.describe('Sidecars; one with the name of the task is merged into it.').optional(),
  initContainers: openList.describe('Containers that run before the task; sidecars as well.').optional(),
  ephemeralContainers: openList.describe('Accepted as core/v1 has it.').optional(),
  containerSecurityContext: open.describe('Security settings of the task container.').optional(),
  env: openList.describe('Further variables of the task container, as in core/v1.').optional(),
  envFrom: openList.describe('Secrets and ConfigMaps whose keys become variables.').optional(),
  imagePullPolicy: text.describe('Always, IfNotPresent or Never.').optional(),
  workingDir: text.describe('Working directory of the task container.').optional(),
  ports: openList.describe('Ports of the task container.').optional(),
  lifecycle: open.describe('Hooks of the task container.').optional(),
  livenessProbe: open.describe('Liveness probe of the task container.').optional(),
  readinessProbe: open.describe('Readiness probe of the task container.').optional(),
  startupProbe: open.describe('Start-up probe of the task container.').optional(),
  volumeDevices: openList.describe('Block devices of the task container.').optional(),
  terminationMessagePath: text.describe('File of the termination message.').optional(),
  terminationMessagePolicy: text.describe('File or FallbackToLogsOnError.').optional(),
  restartPolicy: text.describe('Always `Never`: the engine retries, not the kubelet.').optional(),
  serviceAccount: text.describe('Old name of serviceAccountName.').optional(),
  terminationGracePeriodSeconds: z.int().min(0).describe('Seconds between TERM and KILL.').optional(),
  dnsPolicy: text.describe('How names are looked up.').optional(),
  dnsConfig: open.describe('Name servers and search domains.').optional(),
  enableServiceLinks: z.boolean().describe('Variables for the services of the namespace.').optional(),
  hostAliases: openList.describe('Further lines of the hosts file.').optional(),
  hostIPC: z.boolean().describe('Share the IPC of the node.').optional(),
  hostNetwork: z.boolean().describe('Share the network of the node.').optional(),
  hostPID: z.boolean().describe('Share the processes of the node.').optional(),
  hostUsers: z.boolean().describe('Share the users of the node.').optional(),
  hostname: text.describe('Host name of the pod.').optional(),
  hostnameOverride: text.describe('Host name of the pod, whatever DNS says.').optional(),
  subdomain: text.describe('Subdomain of the host name.').optional(),
  setHostnameAsFQDN: z.boolean().describe('Use the full name as host name.').optional(),
  nodeName: text.describe('The one node to run on; goes around the scheduler.').optional(),
  os: open.describe('Operating system of the pod.').optional(),
  overhead: z.record(z.string(), quantity).describe('Overhead of the runtime class.').optional(),
  preemptionPolicy: text.describe('Whether others may be preempted.').optional(),
  priority: z.int().describe('Number of the priority class.').optional(),
  priorityClassName: text.describe('Priority class of the pod.').optional(),
  readinessGates: openList.describe('Further conditions of readiness.').optional(),
  resourceClaims: openList.describe('Dynamic resource claims of the pod.').optional(),
  runtimeClassName: text.describe('Runtime class of the pod, such as gvisor.').optional(),
  schedulerName: text.describe('Scheduler that places the pod.').optional(),
  schedulingGates: openList.describe('Gates that hold scheduling back.').optional(),
  shareProcessNamespace: z.boolean().describe('Containers see each other’s processes.').optional(),
  topologySpreadConstraints: openList.describe('How pods spread over the cluster.').optional(),
}

/** Every key that is known; others are let through with a warning, since Kubernetes goes on growing. */
export const POD_TEMPLATE_KEYS: readonly string[] = [...Object.keys(upstream), ...Object.keys(podSpec)]

export const podTemplate = z
  .looseObject({ ...upstream, ...podSpec })
  .describe('The whole PodSpec surface, merged over a safe default pod. Never holds `${{ … }}`.')
