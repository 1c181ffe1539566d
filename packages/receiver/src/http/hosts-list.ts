/** The allow-list of certificates: `<SHA-256 fingerprint, colons allowed> [host] # comment`, one a line. */
import { HostName } from '@cis490/shared/ids.ts'
import { ConfigError } from '@cis490/shared/node/config-file.ts'

/** Fingerprint (lower-case hex) to the hosts it may be; an empty set means any. */
export type HostsList = ReadonlyMap<string, ReadonlySet<string>>

/** An empty list lets nobody in. @throws ConfigError with file and line */
export function parseHostsList(text: string, path: string): HostsList {
  const list = new Map<string, Set<string>>()
  for (const [index, line] of text.split('\n').entries()) {
    const [print, host, ...more] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (print === undefined || print === '') continue
    const fingerprint = print.replaceAll(':', '').toLowerCase()
    const at = `${path}:${index + 1}`
    if (!/^[0-9a-f]{64}$/.test(fingerprint))
      throw new ConfigError(`${at}: a SHA-256 fingerprint of 64 hexadecimal digits is expected`)
    if (more.length > 0) throw new ConfigError(`${at}: a fingerprint and at most one host are expected; comments begin with #`)
    const known = list.get(fingerprint)
    if (host === undefined) list.set(fingerprint, new Set())
    else if (known?.size !== 0) list.set(fingerprint, (known ?? new Set<string>()).add(parseHost(host, at)))
  }
  return list
}

/** Whether this certificate may speak for this host. */
export function isListed(list: HostsList, fingerprint: string, host: string | undefined): boolean {
  const hosts = list.get(fingerprint)
  return hosts !== undefined && (hosts.size === 0 || (host !== undefined && hosts.has(host)))
}

function parseHost(host: string, at: string): string {
  const parsed = HostName.safeParse(host)
  if (!parsed.success) throw new ConfigError(`${at}: "${host}" is no host name`)
  return parsed.data
}
