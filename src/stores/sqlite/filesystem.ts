/** Types of network filesystems as `/proc/self/mountinfo` names them. Their locks and shared memory break WAL. */
const NETWORK_TYPES: ReadonlySet<string> = new Set([
  'nfs',
  'nfs4',
  'cifs',
  'smb',
  'smb2',
  'smb3',
  'smbfs',
  'ncpfs',
  'afs',
  'coda',
  'ceph',
  'lustre',
  'gpfs',
  'beegfs',
  'glusterfs',
  '9p',
  'davfs',
])
/** Filesystems in user space are refused when they are known to reach over a network. */
const NETWORK_FUSE: ReadonlySet<string> = new Set(
  [
    ['sshfs', 's3fs', 'goofys', 'rclone', 'gcsfuse', 'mount-s3', 'blobfuse', 'blobfuse2', 'curlftpfs'],
    ['glusterfs', 'ceph-fuse', 'cephfs', 'juicefs', 'davfs', 'davfs2', 'smbnetfs', 'moosefs', 'seaweedfs'],
  ].flatMap(names => names.map(name => `fuse.${name}`)),
)
/** Magic numbers of statfs(2), for systems and mounts that the table does not show. */
const NETWORK_MAGIC: Readonly<Record<number, string>> = {
  0x6969: 'nfs',
  0x517b: 'smb',
  0xfe534d42: 'smb2',
  0xff534d42: 'cifs',
  0x564c: 'ncpfs',
  0x5346414f: 'afs',
  0x73757245: 'coda',
  0x00c36400: 'ceph',
  0x0bd00bd0: 'lustre',
  0x47504653: 'gpfs',
  0x01021997: '9p',
}

/**
 * The name of the network filesystem that a path lies on; null for a local one.
 *
 * @param path        Absolute, symbolic links resolved.
 * @param magic       `type` of statfs.
 * @param mountTable  Text of `/proc/self/mountinfo`; empty where there is none.
 */
export function networkFilesystem(path: string, magic: number, mountTable: string): string | null {
  const type = mountType(path, mountTable)
  if (type !== null && (NETWORK_TYPES.has(type) || NETWORK_FUSE.has(type))) return type
  return NETWORK_MAGIC[magic >>> 0] ?? null
}

/** Filesystem type of the longest mount point above the path; the last one where several are stacked. */
function mountType(path: string, mountTable: string): string | null {
  let best: { readonly point: string; readonly type: string } | null = null
  for (const line of mountTable.split('\n')) {
    const [before, after] = line.split(' - ')
    const point = before?.split(' ')[4]?.replace(/\\(\d{3})/g, (_, octal: string) => octalText(octal))
    const type = after?.split(' ')[0]
    if (point === undefined || type === undefined) continue
    const above = point === '/' || path === point || path.startsWith(`${point}/`)
    if (above && (best === null || point.length >= best.point.length)) best = { point, type }
  }
  return best?.type ?? null
}

function octalText(octal: string): string {
  return String.fromCharCode(Number.parseInt(octal, 8))
}
