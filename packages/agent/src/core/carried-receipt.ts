/** A receipt that came on a stick, held against an entry. The way is nobody's: without a believed key it proves nothing. Pure. */
import type { ReceiptSignature } from '@cis490/shared/receipt-signature.ts'
import type { Arithmetic, PinnedKey, ReceiptFault } from './receipt-trust.ts'
import { type ReceiptToVerify, verifyReceipt } from './verify-receipt.ts'

export type CarriedVerdict =
  | { readonly verdict: 'delivered'; readonly text: string; readonly signed?: ReceiptSignature }
  | { readonly verdict: 'refused'; readonly code: ReceiptFault | 'wrong-receipt'; readonly detail: string }

/** @param trustUnsigned a person vouches for the stick; counts only where no key is believed */
export function judgeCarried(
  entry: { readonly id: string; readonly sha256: string },
  host: string,
  receipt: ReceiptToVerify,
  believed: readonly PinnedKey[],
  trustUnsigned: boolean,
  { verify }: Pick<Arithmetic, 'verify'>,
): CarriedVerdict {
  const verdict = verifyReceipt(receipt, believed, entry.sha256, verify)
  if (verdict.verdict === 'invalid') {
    const code = verdict.reason === 'forged' ? 'receipt-forged' : 'wrong-receipt'
    return { verdict: 'refused', code, detail: verdict.detail }
  }
  if (verdict.receipt.id !== entry.id || verdict.receipt.host !== host)
    return {
      verdict: 'refused',
      code: 'wrong-receipt',
      detail: `it is for ${verdict.receipt.host}/${verdict.receipt.id}`,
    }
  if (verdict.verdict === 'valid')
    return { verdict: 'delivered', text: receipt.text, signed: { key: verdict.key, signature: receipt.signature as string } }
  if (believed.length === 0) {
    if (trustUnsigned) return { verdict: 'delivered', text: receipt.text }
    return {
      verdict: 'refused',
      code: verdict.reason === 'unsigned' ? 'receipt-unsigned' : 'receipt-key-unknown',
      detail:
        'no receipt key is believed here, so a stick proves nothing: set receiver.receipt_keys_file, or say --trust-unsigned',
    }
  }
  const code = verdict.reason === 'unsigned' ? 'receipt-unsigned' : 'receipt-key-unknown'
  return { verdict: 'refused', code, detail: verdict.detail }
}
