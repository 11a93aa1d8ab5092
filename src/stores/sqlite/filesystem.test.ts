import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkFilesystem } from './filesystem.ts'

const EXT4 = 0xef53
const FUSE = 0x65735546
const mounts = [
  '21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
  '40 21 0:40 / /home rw shared:2 - nfs4 server:/home rw,vers=4.2',
  '41 40 8:2 / /home/ana/local rw shared:3 - xfs /dev/sdb1 rw',
  '42 21 0:42 / /mnt/my\\040share rw shared:4 - cifs //server/share rw',
  '43 21 0:43 / /mnt/ssh rw - fuse.sshfs ana@host:/ rw',
  '44 21 0:44 / /mnt/usb rw - fuseblk /dev/sdc1 rw',
  '45 21 0:45 / /mnt/c rw - 9p drvfs rw',
  '46 21 0:46 / /stacked rw - nfs server:/x rw',
  '47 46 0:47 / /stacked rw - tmpfs tmpfs rw',
].join('\n')

test('the nearest mount above a path decides', () => {
  const cases: readonly (readonly [path: string, found: string | null])[] = [
    ['/var/lib', null],
    ['/home/ana/project', 'nfs4'],
    ['/home', 'nfs4'],
    ['/homes/ana', null],
    ['/home/ana/local/state', null],
    ['/mnt/my share/x', 'cifs'],
    ['/mnt/ssh/x', 'fuse.sshfs'],
    ['/mnt/usb/x', null],
    ['/mnt/c/Users', '9p'],
    ['/stacked/x', null],
  ]
  for (const [path, found] of cases) assert.equal(networkFilesystem(path, EXT4, mounts), found, path)
})

test('without a mount table the number of statfs decides, negative as some systems give it too', () => {
  for (const [magic, found] of [
    [0x6969, 'nfs'],
    [0xff534d42, 'cifs'],
    [0xff534d42 | 0, 'cifs'],
    [0xfe534d42, 'smb2'],
    [0x01021997, '9p'],
    [EXT4, null],
    [FUSE, null],
  ] as const)
    assert.equal(networkFilesystem('/x', magic, ''), found)
})
