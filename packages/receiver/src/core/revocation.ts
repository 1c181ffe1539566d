/** Certificates that were good and are not any more. */

export interface Revocation {
  /** Epoch milliseconds. */
  readonly at: number
  /** The host is out: each certificate that goes back to a join before `at`. A token lets it in again. */
  readonly host?: string | undefined
  /** This one certificate. */
  readonly fingerprint?: string | undefined
}

export interface Revoked {
  /** Host to the time of its last revocation. */
  readonly hosts: ReadonlyMap<string, number>
  readonly fingerprints: ReadonlySet<string>
}

export function revokedBy(rows: readonly Revocation[]): Revoked {
  const hosts = new Map<string, number>()
  for (const { host, at } of rows) if (host !== undefined) hosts.set(host, Math.max(at, hosts.get(host) ?? 0))
  return { hosts, fingerprints: new Set(rows.flatMap(({ fingerprint }) => fingerprint ?? [])) }
}

export interface Standing {
  readonly host: string | undefined
  readonly fingerprint: string
  /** When the host joined that this certificate goes back to over renewals; of a certificate that nobody recorded, when it began. */
  readonly joinedAt: number
}

/**
 * By the join, not the issue: a renewal that ran while its host was revoked must not outlive it. For the same reason a certificate is out
 * with each that it renewed.
 * @param replaced which certificate asked for this one by renewal
 */
export function isRevoked(
  { hosts, fingerprints }: Revoked,
  { host, fingerprint, joinedAt }: Standing,
  replaced: (fingerprint: string) => string | undefined = () => undefined,
): boolean {
  const since = host === undefined ? undefined : hosts.get(host)
  if (since !== undefined && joinedAt <= since) return true
  if (fingerprints.size === 0) return false
  // A file that somebody wrote by hand could lead round in a circle.
  const seen = new Set<string>()
  for (let at: string | undefined = fingerprint; at !== undefined && !seen.has(at); at = replaced(at)) {
    if (fingerprints.has(at)) return true
    seen.add(at)
  }
  return false
}

export interface IssuedFacts {
  readonly fingerprint: string
  readonly replaces?: string | undefined
  /** Id of the join token. */
  readonly token?: string | undefined
  /** Of the public key. */
  readonly key_sha256?: string | undefined
}

/** Each recorded certificate that whoever has this one's key has too: of the same key, of the same token, and what was renewed from any of them. */
export function sharedFate<T extends IssuedFacts>(rows: readonly T[], fingerprint: string): T[] {
  const out = new Set([fingerprint])
  const keys = new Set<string>()
  const tokens = new Set<string>()
  const hit = (row: T) =>
    out.has(row.fingerprint) ||
    (row.replaces !== undefined && out.has(row.replaces)) ||
    (row.key_sha256 !== undefined && keys.has(row.key_sha256)) ||
    (row.token !== undefined && tokens.has(row.token))
  let found: T[] = []
  let before = -1
  // A certificate follows the one that it renews, so one or two rounds find all.
  while (found.length > before) {
    before = found.length
    for (const row of rows) {
      if (!hit(row)) continue
      out.add(row.fingerprint)
      if (row.key_sha256 !== undefined) keys.add(row.key_sha256)
      if (row.token !== undefined) tokens.add(row.token)
    }
    found = rows.filter(({ fingerprint: one }) => out.has(one))
  }
  return found
}
