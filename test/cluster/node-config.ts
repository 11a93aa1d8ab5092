/** Of the node, and of the API server beside it. */
export const NODE_ADDRESS = '10.245.0.1'

export const containerdConfig = (state: string): string => `version = 3
root = "${state}/containerd/root"
state = "${state}/containerd/state"
[grpc]
  address = "${state}/containerd/containerd.sock"
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

export const networkConfig = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'kontroler-test',
  plugins: [
    {
      type: 'bridge',
      bridge: 'kbr0',
      isGateway: true,
      isDefaultGateway: true,
      hairpinMode: true,
      ipMasq: false,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.244.0.0/24' }]] },
    },
  ],
})

const BARELY = '1%'

export const kubeletConfig = (state: string): string =>
  JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: NODE_ADDRESS,
    port: 11_250,
    healthzPort: 0,
    readOnlyPort: 0,
    cgroupDriver: 'cgroupfs',
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

export const proxyConfig = (kubeconfig: string): string =>
  JSON.stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    clientConnection: { kubeconfig },
    hostnameOverride: 'node1',
    bindAddress: NODE_ADDRESS,
    healthzBindAddress: '127.0.0.1:11256',
    metricsBindAddress: '127.0.0.1:11249',
    conntrack: { maxPerCore: 0, min: 0 },
  })
