/** Whether a client certificate may speak for its host, and why not. Signatures were checked before: `paths` are chains that verify. */
import type { HostName } from '@cis490/shared/ids.ts'
import { Refusal } from '@cis490/shared/problems.ts'

/** Milliseconds since the epoch, both ends included. */
export interface Validity {
  readonly validFrom: number
  readonly validTo: number
}

export interface CertificateFacts extends Validity {
  /** First DNS name of the SAN, else the CN; absent where that is no host name (a wildcard). */
  readonly name?: HostName
  readonly isAuthority: boolean
  readonly forClients: boolean
  readonly selfIssued: boolean
  /** OID of a critical extension that is not understood here. */
  readonly unknownCritical?: string
}

export interface Circumstances {
  /** Epoch milliseconds. */
  readonly now: number
  /** The authorities above the leaf of each chain that verifies by signature; `proxy` where a trusted proxy verified and no CA is configured. */
  readonly paths: readonly (readonly Validity[])[] | 'proxy'
  /** On the allow-list of fingerprints, or there is none. */
  readonly listed: boolean
  /** An operator has thrown out the certificate, or its host. */
  readonly revoked?: boolean
  /** How long after its end a certificate still passes; 0 for none. */
  readonly graceMs: number
}

const codes = {
  missing: ['certificate-missing', 'no client certificate came with this connection'],
  unreadable: ['certificate-untrusted', 'the client certificate cannot be read'],
  'repeated-header': ['certificate-untrusted', 'the proxy sent more than one client certificate'],
  'is-authority': ['certificate-untrusted', 'the client certificate is itself that of an authority'],
  'not-for-clients': [
    'certificate-untrusted',
    'the certificate is not meant for clients (extended key usage clientAuth, key usage digitalSignature)',
  ],
  'unknown-critical': ['certificate-untrusted', 'the certificate has a critical extension that the receiver does not know'],
  'self-signed': ['certificate-untrusted', 'the client certificate is self-signed'],
  foreign: ['certificate-untrusted', 'no authority of client_ca_file signed the client certificate'],
  'authority-out-of-date': [
    'certificate-untrusted',
    'the authority that signed the client certificate has expired or is not valid yet',
  ],
  'no-host-name': [
    'certificate-untrusted',
    'the certificate names no single host (first DNS name of the SAN, else the CN; no wildcard)',
  ],
  'not-listed': ['certificate-untrusted', 'the fingerprint of the client certificate is not on the list of hosts'],
  revoked: ['certificate-untrusted', 'the client certificate was revoked'],
  'not-yet-valid': ['certificate-untrusted', 'the client certificate is not valid yet; is the clock right?'],
  expired: ['certificate-expired', 'the client certificate has expired'],
} as const

export type CertificateFault = keyof typeof codes
export type CertificateVerdict = 'valid' | 'valid-in-grace' | CertificateFault

/** The chain counts before the dates: grace must never help a certificate that nobody here signed. */
export function judgeCertificate(
  certificate: CertificateFacts,
  { now, paths, listed, revoked, graceMs }: Circumstances,
): CertificateVerdict {
  if (certificate.isAuthority) return 'is-authority'
  if (!certificate.forClients) return 'not-for-clients'
  if (certificate.unknownCritical !== undefined) return 'unknown-critical'
  if (paths !== 'proxy') {
    if (paths.length === 0) return certificate.selfIssued ? 'self-signed' : 'foreign'
    if (!paths.some((path) => inDate(path, now))) return 'authority-out-of-date'
  }
  if (certificate.name === undefined) return 'no-host-name'
  if (!listed) return 'not-listed'
  if (revoked === true) return 'revoked'
  if (now < certificate.validFrom) return 'not-yet-valid'
  if (now <= certificate.validTo) return 'valid'
  return paths !== 'proxy' && now - certificate.validTo < graceMs ? 'valid-in-grace' : 'expired'
}

/** Whether every certificate of a chain is valid at `now`. */
export function inDate(path: readonly Validity[], now: number): boolean {
  return path.every(({ validFrom, validTo }) => validFrom <= now && now <= validTo)
}

const fetchCertificate = 'sudo systemctl start cis490-cert-fetch'

const joinAnew =
  'on the receiver: cis490-receiver token create --host NAME; then on the host: sudo cis490-agent fetch-cert --token TOKEN'

/** What renewal cannot mend: the host has to join once more. */
const needsToken: ReadonlySet<CertificateFault> = new Set<CertificateFault>([
  'missing',
  'foreign',
  'self-signed',
  'is-authority',
  'not-for-clients',
  'no-host-name',
  'authority-out-of-date',
  'revoked',
  'expired',
])

export interface Cure {
  /** The receiver has a CA of its own, where hosts join by token. */
  readonly joins: boolean
  /** The certificate may still renew itself. */
  readonly renewable: boolean
}

/** The 403 that says what is wrong and the command that mends it. */
export function certificateRefusal(fault: CertificateFault, cure: Cure = { joins: false, renewable: true }): Refusal {
  const [code, detail] = codes[fault]
  const byToken = cure.joins && needsToken.has(fault) && !(fault === 'expired' && cure.renewable)
  return new Refusal(code, detail, { remediation: byToken ? joinAnew : fetchCertificate })
}

/** X-Cis490-Host, or a path, names another host than the certificate does. */
export function wrongHostRefusal(certified: string): Refusal {
  const remediation = `set name = "${certified}" under [host] in lab-host.toml, or: ${fetchCertificate}`
  return new Refusal('wrong-host', `the certificate is that of ${certified}`, { remediation })
}
