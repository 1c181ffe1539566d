/** What a signature under a receipt and the list of the receiver's keys look like. The arithmetic is in node/ed25519.ts. */
import { z } from 'zod'

/** First 16 hex digits of the SHA-256 of the raw public key. */
export const ReceiptKeyId = z.string().regex(/^[0-9a-f]{16}$/, 'a receipt key id is 16 hexadecimal digits')

const Signature = z.string().regex(/^[A-Za-z0-9+/]{86}==$/, 'an Ed25519 signature is 64 bytes in base64')

/** Signature of an older key under this one (over `vouchText`). */
export const Voucher = z.looseObject({ id: ReceiptKeyId, signature: Signature })
export type Voucher = z.infer<typeof Voucher>

export const ReceiptKey = z.looseObject({
  id: ReceiptKeyId,
  algorithm: z.literal('ed25519'),
  /** The 32 raw bytes in base64. */
  public_key: z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'an Ed25519 key is 32 bytes in base64'),
  /** The one that signs now. */
  current: z.boolean(),
  vouched_by: z.array(Voucher),
})
export type ReceiptKey = z.infer<typeof ReceiptKey>

/** `GET /v1/receipt-keys`. Empty where receipts are not signed. Of keys of another algorithm an agent of today makes nothing. */
export const ReceiptKeys = z.looseObject({ keys: z.array(z.unknown()).max(256).transform(keysOfOurs) })
export type ReceiptKeys = { readonly keys: readonly ReceiptKey[] }

function keysOfOurs(values: unknown[]): ReceiptKey[] {
  return values.flatMap((value) => ReceiptKey.safeParse(value).data ?? [])
}

export interface ReceiptSignature {
  /** Id of the key. */
  readonly key: string
  /** Base64. */
  readonly signature: string
}

/** Value of `X-Cis490-Receipt-Signature`. */
export function formatReceiptSignature({ key, signature }: ReceiptSignature): string {
  return `ed25519;${key};${signature}`
}

/** @returns undefined when it is not one */
export function parseReceiptSignature(text: string): ReceiptSignature | undefined {
  const [algorithm, key, signature, ...more] = text.trim().split(';')
  if (algorithm !== 'ed25519' || more.length > 0) return undefined
  if (!ReceiptKeyId.safeParse(key).success || !Signature.safeParse(signature).success) return undefined
  return { key: key as string, signature: signature as string }
}

/** What an older key signs to vouch for a newer one. Never the text of a receipt, which begins with a brace. */
export function vouchText(publicKey: string): string {
  return `cis490 receipt key ed25519 ${publicKey}\n`
}
