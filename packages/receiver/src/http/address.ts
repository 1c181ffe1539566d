/** Remote addresses in one spelling, and the proxies among them. */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { ConfigError } from '@cis490/shared/node/config-file.ts'

/** A socket that listens on IPv6 shows IPv4 clients as `::ffff:192.0.2.1`. */
export function normalAddress(address: string): string {
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)?.[1]
  return mapped ?? address.toLowerCase()
}

/** Whom limits count: an IPv4 address, or the /64 that one IPv6 client has all the addresses of. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  return `${[...left, ...gap, ...right].slice(0, 4).join(':')}::/64`
}

/** Empty when the connection is gone already. */
export function remoteOf(req: IncomingMessage): string {
  return normalAddress(req.socket.remoteAddress ?? '')
}

/** Addresses, and networks written `10.0.0.0/8`. @returns whether an address is one of them @throws ConfigError */
export function addressSet(addresses: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const entry of addresses) {
    const [text = '', prefix, ...more] = entry.trim().split('/')
    const address = normalAddress(text)
    const family = isIP(address)
    const bits = prefix === undefined ? undefined : Number(prefix)
    const wrong =
      family === 0 ||
      more.length > 0 ||
      (bits !== undefined && !(/^\d{1,3}$/.test(prefix ?? '') && bits <= (family === 4 ? 32 : 128)))
    if (wrong) throw new ConfigError(`auth.trusted_proxies: "${entry}" is no IP address and no network`)
    if (bits === undefined) list.addAddress(address, family === 4 ? 'ipv4' : 'ipv6')
    else list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6')
  }
  if (addresses.length === 0) return () => false
  return (address) => {
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
  }
}
