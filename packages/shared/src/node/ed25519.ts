/** Ed25519 with the keys as the wire has them: 32 raw bytes in base64. */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

/** First 16 hex digits of the SHA-256 of the raw public key. */
export function ed25519KeyId(publicKey: string): string {
  return createHash('sha256').update(Buffer.from(publicKey, 'base64')).digest('hex').slice(0, 16)
}

/** @returns undefined for a key of another kind */
export function rawEd25519(key: KeyObject): string | undefined {
  const { kty, crv, x } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' })
  return kty === 'OKP' && crv === 'Ed25519' && typeof x === 'string' ? Buffer.from(x, 'base64url').toString('base64') : undefined
}

/** @returns the signature in base64 */
export function ed25519Sign(text: string, key: KeyObject): string {
  return sign(null, Buffer.from(text), key).toString('base64')
}

/** False for whatever is no valid signature of this key, never an exception. */
export function ed25519Verify(text: string, publicKey: string, signature: string): boolean {
  try {
    return verify(null, Buffer.from(text), publicKeyObject(publicKey), Buffer.from(signature, 'base64'))
  } catch {
    return false
  }
}

/** The key as openssl reads it. */
export function ed25519Pem(publicKey: string): string {
  return publicKeyObject(publicKey).export({ type: 'spki', format: 'pem' }).toString()
}

function publicKeyObject(publicKey: string): KeyObject {
  const x = Buffer.from(publicKey, 'base64').toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}
