/** Signatures with the key of a certificate, of whatever kind it is: ECDSA and RSA over SHA-256, Ed25519 and Ed448 as they are. */
import { type KeyObject, sign, verify } from 'node:crypto'

export interface KeySignature {
  readonly algorithm: string
  /** Base64. */
  readonly signature: string
}

export function signWithKey(text: string, key: KeyObject): KeySignature {
  const digest = digestFor(key)
  return {
    algorithm: `${key.asymmetricKeyType}${digest ? `-${digest}` : ''}`,
    signature: sign(digest, Buffer.from(text), key).toString('base64'),
  }
}

/** The kind of key decides how; what the signature says of itself is never asked. */
export function verifiesWithKey(text: string, key: KeyObject, signature: string): boolean {
  try {
    return verify(digestFor(key), Buffer.from(text), key, Buffer.from(signature, 'base64'))
  } catch {
    return false
  }
}

function digestFor(key: KeyObject): 'sha256' | null {
  return key.asymmetricKeyType === 'ed25519' || key.asymmetricKeyType === 'ed448' ? null : 'sha256'
}
