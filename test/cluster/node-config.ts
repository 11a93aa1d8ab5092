import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { writeChanged } from './write.ts'

/** Of the node, and of the API server beside it. */
export const NODE_ADDRESS = '10.245.0.1'
/** Where that address is. */
export const NODE_BRIDGE = 'kt0'
export const PODS_BRIDGE = 'kbr0'
/** Where kube-proxy says how it is. */
export const PROXY_HEALTH = '127.0.0.1:11256'

/** Writes what the parts of a node are configured with. `name` is the cluster's own among those of the machine. */
export function writeNodeConfig(state: string, name: string, kubeconfig: string): void {
  const write = (file: string, text: string): void => writeChanged(join(state, file), text)
  mkdirSync(join(state, 'cni'), { recursive: true })
  write('cni/network.conflist', networkConfig(state, name))
  write('containerd.toml', containerdConfig(state))
  write('kubelet.yaml', kubeletConfig(state, name))
  write('proxy.yaml', proxyConfig(kubeconfig))
}

const containerdConfig = (state: string): string => `version = 3
root = "${state}/containerd/root"
state = "${state}/containerd/state"
[grpc]
  address = "${state}/containerd/containerd.sock"
[plugins.'io.containerd.nri.v1.nri']
  # Its socket is one for the whole machine.
  disable = true
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "local/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  disable_apparmor = true
  # Where a machine lacks CAP_SYS_RESOURCE, containers would not start otherwise.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "${state}/cni"
`

const networkConfig = (state: string, name: string): string =>
  JSON.stringify({
    cniVersion: '1.0.0',
    name,
    plugins: [
      {
        type: 'bridge',
        bridge: PODS_BRIDGE,
        isGateway: true,
        isDefaultGateway: true,
        hairpinMode: true,
        ipMasq: false,
        // Addresses that were never given back end with the cluster.
        ipam: {
          type: 'host-local',
          dataDir: `${state}/addresses`,
          ranges: [[{ subnet: '10.244.0.0/24' }]],
        },
      },
    ],
  })

const BARELY = '1%'

/** @param cgroup  Below which all pods are; it is there already. */
const kubeletConfig = (state: string, cgroup: string): string =>
  JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: NODE_ADDRESS,
    port: 11_250,
    healthzPort: 0,
    readOnlyPort: 0,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    podLogsDir: `${state}/pod-logs`,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    containerRuntimeEndpoint: `unix://${state}/containerd/containerd.sock`,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    evictionHard: {
      'memory.available': '50Mi',
      'nodefs.available': BARELY,
      'imagefs.available': BARELY,
      'nodefs.inodesFree': BARELY,
      'imagefs.inodesFree': BARELY,
    },
    maxPods: 500,
  })

const proxyConfig = (kubeconfig: string): string =>
  JSON.stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    clientConnection: { kubeconfig },
    hostnameOverride: 'node1',
    bindAddress: NODE_ADDRESS,
    healthzBindAddress: PROXY_HEALTH,
    metricsBindAddress: '127.0.0.1:11249',
    conntrack: { maxPerCore: 0, min: 0 },
  })

/**
 * There is no registry. Of an image without a tag Kubernetes asks one every time, so that `image: busybox` would never
 * start, though the node knows it: pods are let in with what the node knows first, whatever they say.
 */
export const KNOWN_IMAGES_FIRST: readonly object[] = [
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingAdmissionPolicy',
    metadata: { name: 'known-images-first' },
    spec: {
      failurePolicy: 'Fail',
      reinvocationPolicy: 'IfNeeded',
      matchConstraints: {
        resourceRules: [
          { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] },
        ],
      },
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: {
            expression: `Object{spec: Object.spec{${['containers', 'initContainers'].map(knownFirst).join(', ')}}}`,
          },
        },
      ],
    },
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingAdmissionPolicyBinding',
    metadata: { name: 'known-images-first' },
    spec: { policyName: 'known-images-first' },
  },
]

function knownFirst(list: string): string {
  const always = `object.spec.?${list}.orValue([]).filter(c, c.imagePullPolicy == "Always")`
  return `${list}: ${always}.map(c, Object.spec.${list}{name: c.name, imagePullPolicy: "IfNotPresent"})`
}
