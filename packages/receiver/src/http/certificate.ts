/** One certificate: DER in, the facts that the verdict needs out. */
import 'reflect-metadata'
import { X509Certificate } from 'node:crypto'
import { HostName } from '@cis490/shared/ids.ts'
import * as x509 from '@peculiar/x509'
import type { CertificateFacts } from '../core/certificate-verdict.ts'

export interface Certificate extends CertificateFacts {
  /** Lower-case hex SHA-256 of the DER. */
  readonly fingerprint: string
  /** How many authorities may stand below this one; absent: any number. */
  readonly pathLength?: number
  readonly x509: X509Certificate
}

const basicConstraints = '2.5.29.19'
const keyUsage = '2.5.29.15'
const extendedKeyUsage = '2.5.29.37'
const subjectAltName = '2.5.29.17'
const understood = new Set([basicConstraints, keyUsage, extendedKeyUsage, subjectAltName])
const anyUsage = '2.5.29.37.0'

/** @returns undefined when these bytes are no certificate */
export function parseCertificate(der: Uint8Array): Certificate | undefined {
  try {
    return facts(new X509Certificate(der), new x509.X509Certificate(Uint8Array.from(der)))
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

function facts(cert: X509Certificate, parsed: x509.X509Certificate): Certificate {
  const constraints = parsed.getExtension(x509.BasicConstraintsExtension)
  const unknown = parsed.extensions.find((extension) => extension.critical && !understood.has(extension.type))
  const name = HostName.safeParse(hostName(parsed))
  return {
    ...(name.success && { name: name.data }),
    ...(unknown && { unknownCritical: unknown.type }),
    ...(constraints?.pathLength !== undefined && { pathLength: constraints.pathLength }),
    fingerprint: cert.fingerprint256.replaceAll(':', '').toLowerCase(),
    validFrom: parsed.notBefore.getTime(),
    validTo: parsed.notAfter.getTime(),
    isAuthority: cert.ca,
    forClients: forClients(parsed),
    selfIssued: cert.issuer === cert.subject,
    x509: cert,
  }
}

/** Two CNs name nobody: which of them counts differs from one program to the next. */
function hostName(parsed: x509.X509Certificate): string | undefined {
  const names = parsed.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? []
  const first = names.find((name) => name.type === 'dns')
  if (first !== undefined) return first.value
  const common = parsed.subjectName.getField('CN')
  return common.length === 1 ? common[0] : undefined
}

/** As OpenSSL's purpose "sslclient"; an authority's key usage has been checked by `ca`. */
function forClients(parsed: x509.X509Certificate): boolean {
  const usages = parsed.getExtension(x509.ExtendedKeyUsageExtension)?.usages
  if (usages !== undefined && !usages.includes(x509.ExtendedKeyUsage.clientAuth) && !usages.includes(anyUsage)) return false
  const key = parsed.getExtension(x509.KeyUsagesExtension)?.usages
  const wanted = x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyAgreement | x509.KeyUsageFlags.keyCertSign
  return key === undefined || (key & wanted) !== 0
}
