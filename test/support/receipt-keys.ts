/** Ed25519 receipt keys and what they sign, made with openssl's own idea of such a key. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { ed25519KeyId, ed25519Sign, rawEd25519 } from '@cis490/shared/node/ed25519.ts'
import { formatReceiptSignature, type ReceiptKey, vouchText } from '@cis490/shared/receipt-signature.ts'

export interface TestReceiptKey {
  readonly id: string
  readonly publicKey: string
  readonly privateKey: KeyObject
  readonly pem: string
}

export function makeReceiptKey(): TestReceiptKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  const publicKey = rawEd25519(privateKey) as string
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { id: ed25519KeyId(publicKey), publicKey, privateKey, pem }
}

/** Value of the header. */
export function signed(text: string, key: TestReceiptKey): string {
  return formatReceiptSignature({ key: key.id, signature: ed25519Sign(text, key.privateKey) })
}

/** As a receiver tells it. */
export function told(key: TestReceiptKey, current: boolean, ...vouchers: TestReceiptKey[]): ReceiptKey {
  const vouched_by = vouchers.map((older) => ({
    id: older.id,
    signature: ed25519Sign(vouchText(key.publicKey), older.privateKey),
  }))
  return { id: key.id, algorithm: 'ed25519', public_key: key.publicKey, current, vouched_by }
}
