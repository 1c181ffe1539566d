/** `verify`: what a receipt proves. Pure. */
import { parseObject } from '@cis490/shared/jsonl.ts'
import { Receipt } from '@cis490/shared/receipt.ts'

export interface ReceiptToVerify {
  /** The exact bytes. */
  readonly text: string
  /** Base64; absent where the receipt is not signed. */
  readonly signature: string | undefined
  /** Id of the key that is said to have signed; absent where only the bytes of the signature are known. */
  readonly key: string | undefined
}

export interface KnownKey {
  readonly id: string
  readonly public_key: string
}

export type ReceiptVerdict =
  | { readonly verdict: 'valid'; readonly key: string; readonly receipt: Receipt }
  | { readonly verdict: 'invalid'; readonly reason: 'not-a-receipt' | 'forged' | 'other-bytes'; readonly detail: string }
  | { readonly verdict: 'unknown'; readonly reason: 'unsigned' | 'no-key'; readonly detail: string; readonly receipt: Receipt }

/** @param actual SHA-256 of the archive at hand, where one was given */
export function verifyReceipt(
  { text, signature, key }: ReceiptToVerify,
  keys: readonly KnownKey[],
  actual: string | undefined,
  verify: (text: string, publicKey: string, signature: string) => boolean,
): ReceiptVerdict {
  const receipt = Receipt.safeParse(parseObject(text)).data
  if (!receipt) return { verdict: 'invalid', reason: 'not-a-receipt', detail: 'this is not a receipt' }
  if (actual !== undefined && actual !== receipt.sha256)
    return {
      verdict: 'invalid',
      reason: 'other-bytes',
      detail: `the receipt is for ${receipt.sha256}, these bytes are ${actual}`,
    }
  if (signature === undefined)
    return { verdict: 'unknown', reason: 'unsigned', detail: 'the receipt is not signed: it proves nothing to others', receipt }
  const candidates = keys.filter(({ id }) => key === undefined || id === key)
  if (candidates.length === 0) {
    const detail = `the key ${key ?? 'of the receiver'} is not known here; give it with --key FILE`
    return { verdict: 'unknown', reason: 'no-key', detail, receipt }
  }
  const signer = candidates.find(({ public_key }) => verify(text, public_key, signature))
  if (signer) return { verdict: 'valid', key: signer.id, receipt }
  const tried = candidates.map(({ id }) => id).join(', ')
  return { verdict: 'invalid', reason: 'forged', detail: `the signature is not that of ${tried} under these bytes` }
}
