/** One certificate: DER in, the facts that the verdict needs out. */
import { X509Certificate } from 'node:crypto'
import { HostName } from '@cis490/shared/ids.ts'
import { AsnConvert } from '@peculiar/asn1-schema'
import {
  Certificate as Asn1,
  anyExtendedKeyUsage,
  BasicConstraints,
  ExtendedKeyUsage,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_kp_clientAuth,
  KeyUsage,
  KeyUsageFlags,
  SubjectAlternativeName,
  type TBSCertificate,
} from '@peculiar/asn1-x509'
import type { CertificateFacts } from '../core/certificate-verdict.ts'

export interface Certificate extends CertificateFacts {
  /** Lower-case hex SHA-256 of the DER. */
  readonly fingerprint: string
  /** How many authorities may stand below this one; absent: any number. */
  readonly pathLength?: number
  readonly x509: X509Certificate
}

const understood = new Set([id_ce_basicConstraints, id_ce_keyUsage, id_ce_extKeyUsage, id_ce_subjectAltName])
const commonName = '2.5.4.3'

/** @returns undefined when these bytes are no certificate */
export function parseCertificate(der: Uint8Array): Certificate | undefined {
  try {
    return facts(new X509Certificate(der), AsnConvert.parse(der, Asn1).tbsCertificate)
  } catch {
    return undefined
  }
}

/** The certificates of a PEM text, in order. @returns undefined when one of them cannot be read, or there is none */
export function parsePem(text: string): Certificate[] | undefined {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  const parsed = blocks.map((block) => parseCertificate(Buffer.from(block.replace(/-----[A-Z ]+-----/g, ''), 'base64')))
  const good = parsed.filter((certificate) => certificate !== undefined)
  return good.length === parsed.length && good.length > 0 ? good : undefined
}

function facts(cert: X509Certificate, parsed: TBSCertificate): Certificate {
  const pathLength = extension(parsed, id_ce_basicConstraints, BasicConstraints)?.pathLenConstraint
  const unknown = parsed.extensions?.find(({ critical, extnID }) => critical && !understood.has(extnID))
  const name = HostName.safeParse(hostName(parsed))
  return {
    ...(name.success && { name: name.data }),
    ...(unknown && { unknownCritical: unknown.extnID }),
    ...(pathLength !== undefined && { pathLength }),
    fingerprint: cert.fingerprint256.replaceAll(':', '').toLowerCase(),
    validFrom: parsed.validity.notBefore.getTime().getTime(),
    validTo: parsed.validity.notAfter.getTime().getTime(),
    isAuthority: cert.ca,
    forClients: forClients(parsed),
    selfIssued: cert.issuer === cert.subject,
    x509: cert,
  }
}

/** @throws what the parser says of an extension that is there and malformed */
function extension<T>({ extensions }: TBSCertificate, type: string, shape: new () => T): T | undefined {
  const found = extensions?.find(({ extnID }) => extnID === type)
  return found && AsnConvert.parse(found.extnValue, shape)
}

/** Two CNs name nobody: which of them counts differs from one program to the next. */
function hostName(parsed: TBSCertificate): string | undefined {
  const names = extension(parsed, id_ce_subjectAltName, SubjectAlternativeName) ?? []
  const first = names.find(({ dNSName }) => dNSName !== undefined)
  if (first) return first.dNSName
  const common = parsed.subject.flatMap((part) => part.filter(({ type }) => type === commonName))
  return common.length === 1 ? common[0]?.value.toString() : undefined
}

/** As OpenSSL's purpose "sslclient"; an authority's key usage has been checked by `ca`. */
function forClients(parsed: TBSCertificate): boolean {
  const usages = extension(parsed, id_ce_extKeyUsage, ExtendedKeyUsage)
  if (usages && !usages.includes(id_kp_clientAuth) && !usages.includes(anyExtendedKeyUsage)) return false
  const key = extension(parsed, id_ce_keyUsage, KeyUsage)?.toNumber()
  const wanted = KeyUsageFlags.digitalSignature | KeyUsageFlags.keyAgreement | KeyUsageFlags.keyCertSign
  return key === undefined || (key & wanted) !== 0
}
