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

/** By the join, not the issue: a renewal that ran while its host was revoked must not outlive it. */
export function isRevoked({ hosts, fingerprints }: Revoked, { host, fingerprint, joinedAt }: Standing): boolean {
  const since = host === undefined ? undefined : hosts.get(host)
  return fingerprints.has(fingerprint) || (since !== undefined && joinedAt <= since)
}
