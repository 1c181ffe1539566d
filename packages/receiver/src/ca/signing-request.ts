/** One PKCS #10 request: DER in, the facts that the verdict needs out. */
import 'reflect-metadata'
import { createHash, createPublicKey } from 'node:crypto'
import { lowerHostName } from '@cis490/shared/host-name.ts'
import * as x509 from '@peculiar/x509'
import { judgeKey, type SigningRequest } from '../core/signing-request.ts'

export interface ReadRequest extends SigningRequest {
  readonly publicKey: x509.PublicKey
  /** Lower-case hex SHA-256 of the public key's DER. */
  readonly keyHash: string
}

/** @returns undefined when these bytes are no request */
export async function readRequest(der: Uint8Array): Promise<ReadRequest | undefined> {
  try {
    const request = new x509.Pkcs10CertificateRequest(new Uint8Array(der))
    const spki = Buffer.from(request.publicKey.rawData)
    const object = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    const { namedCurve, modulusLength } = object.asymmetricKeyDetails ?? {}
    const key = { type: object.asymmetricKeyType, curve: namedCurve, bits: modulusLength }
    return {
      key,
      signed: judgeKey(key) === 'good' && (await request.verify().catch(() => false)),
      ...namesOf(request),
      publicKey: request.publicKey,
      keyHash: createHash('sha256').update(spki).digest('hex'),
    }
  } catch {
    return undefined
  }
}

function namesOf(request: x509.Pkcs10CertificateRequest): Pick<SigningRequest, 'names' | 'otherNames'> {
  const extension = request.extensions.find((one) => one instanceof x509.SubjectAlternativeNameExtension)
  const alternative = extension?.names.items ?? []
  const dns = alternative.filter(({ type }) => type === 'dns')
  const others = alternative.filter(({ type }) => type !== 'dns')
  return {
    names: [...request.subjectName.getField('CN'), ...dns.map(({ value }) => value)].map(lowerHostName),
    otherNames: others.map(({ value }) => value),
  }
}
