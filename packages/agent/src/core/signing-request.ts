/** The request for a certificate, PKCS #10 (RFC 2986), and the answer to it, a PKCS #7 with nothing but certificates (RFC 7030, 4.1.3). */
import { concat, DerError, type DerValue, der, oid, readDer, tag } from './der.ts'

/** A CN ends there; longer names stand in the SAN alone. */
const longestCommonName = 64

/** What is signed: the host's name and its public key. @param spki the public key as SubjectPublicKeyInfo, DER */
export function requestInfo(host: string, spki: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(host)
  const commonName = der(tag.set, der(tag.sequence, oid('2.5.4.3'), der(tag.utf8String, text)))
  const subject = text.length > longestCommonName ? der(tag.sequence) : der(tag.sequence, commonName)
  const names = der(tag.octetString, der(tag.sequence, der(tag.context2, text)))
  const extensions = der(tag.sequence, der(tag.sequence, oid('2.5.29.17'), names))
  const wanted = der(tag.sequence, oid('1.2.840.113549.1.9.14'), der(tag.set, extensions))
  return der(tag.sequence, der(tag.integer, Uint8Array.of(0)), subject, spki, der(tag.context0, wanted))
}

/** @param signature ECDSA over `info` with SHA-256, DER */
export function signedRequest(info: Uint8Array, signature: Uint8Array): Uint8Array {
  const algorithm = der(tag.sequence, oid('1.2.840.10045.4.3.2'))
  return der(tag.sequence, info, algorithm, der(tag.bitString, concat([Uint8Array.of(0), signature])))
}

/** @returns each certificate's DER. @throws DerError where it is not such a message */
export function certificatesOf(message: Uint8Array): Uint8Array[] {
  const [type, body] = inside(readDer(message)[0], tag.sequence)
  if (type === undefined || !same(type.whole, oid('1.2.840.113549.1.7.2'))) throw new DerError('not signed data of PKCS #7')
  const signedData = inside(inside(body, tag.context0)[0], tag.sequence)
  const certificates = signedData.find((part) => part.tag === tag.context0)
  return inside(certificates, tag.context0).map((one) => one.whole)
}

function inside(value: DerValue | undefined, kind: number): DerValue[] {
  if (value?.tag !== kind) throw new DerError('a part is missing, or is another one')
  return readDer(value.content)
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}
