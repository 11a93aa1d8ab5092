import { isIPv6 } from 'node:net'

/** What tries are counted by. Who has one address of version 6 has all of its network, so these count as one. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  if (!isIPv6(plain)) return plain
  const [left = [], right = []] = plain.split('::').map(part => part.split(':').filter(word => word !== ''))
  const gap = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  const words = plain.includes('::') ? [...left, ...gap, ...right] : left
  return words
    .slice(0, 4)
    .map(word => word.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')
}
