/** What the receiver's CA answers: read, and judged before it replaces anything. */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { DerError } from '../core/der.ts'
import { certificatesOf } from '../core/signing-request.ts'

/** A clock may be behind that of the receiver by as much. */
const clockTolerance = 5 * 60_000

/** @param body base64 of PKCS #7, as EST sends it. @returns the certificates, or what is wrong */
export function readCertificates(body: string): X509Certificate[] | string {
  try {
    const found = certificatesOf(Buffer.from(body.replaceAll(/\s/g, ''), 'base64')).map((one) => new X509Certificate(one))
    return found.length > 0 ? found : 'no certificate is in it'
  } catch (error) {
    return error instanceof DerError ? error.message : 'a certificate in it cannot be read'
  }
}

export interface Wanted {
  readonly host: string
  readonly key: KeyObject
  /** One of them has signed it. */
  readonly authorities: readonly X509Certificate[]
  readonly now: number
}

/** @returns what is wrong with a certificate that was issued to us; undefined: it can be used */
export function faultOfIssued(certificate: X509Certificate, { host, key, authorities, now }: Wanted): string | undefined {
  const spki = (one: KeyObject) => one.export({ type: 'spki', format: 'der' })
  if (!spki(certificate.publicKey).equals(spki(createPublicKey(key)))) return 'it is for another key'
  if (certificate.checkHost(host, { wildcards: false }) === undefined && !namesInSubject(certificate, host))
    return `it is not for ${host}`
  if (!authorities.some((one) => certificate.checkIssued(one) && certificate.verify(one.publicKey)))
    return 'it is not from a CA of the receiver'
  if (certificate.validToDate.getTime() <= now) return 'it has expired already; is the clock here right?'
  if (certificate.validFromDate.getTime() > now + clockTolerance) return 'it is not valid yet; is the clock here right?'
  return undefined
}

function namesInSubject({ subject }: X509Certificate, host: string): boolean {
  return /^CN=(.+)$/m.exec(subject ?? '')?.[1]?.toLowerCase() === host
}

/** SHA-256 of the DER, lower-case hexadecimal. */
export function fingerprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('hex')
}
