import { chmodSync, mkdirSync } from 'node:fs'

/**
 * A folder of this machine as a volume for claims of the storage class `className`: there is no provisioner. Pods of any
 * user may write into it, for `fsGroup` changes nothing of such a volume.
 */
export function hostPathVolume(name: string, className: string, path: string, storage = '1Gi'): object {
  mkdirSync(path, { recursive: true })
  chmodSync(path, 0o777)
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      storageClassName: className,
      capacity: { storage },
      accessModes: ['ReadWriteOnce', 'ReadWriteMany'],
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path },
    },
  }
}
