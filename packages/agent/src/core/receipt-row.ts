/** A row of `receipts.jsonl`: the receipt, and what its signature needs to be verified years later: the very bytes. Pure. */
import { parseObject } from '@cis490/shared/jsonl.ts'

/** @param text the receipt as it came. @param signature value of X-Cis490-Receipt-Signature */
export function receiptRow(text: string, signature: string | undefined): Record<string, unknown> {
  const receipt = parseObject(text) ?? {}
  if (signature === undefined) return receipt
  // Ours comes in the form that JSON.stringify gives back; another receiver's might not.
  const same = JSON.stringify(receipt) === text
  return { ...receipt, receipt_signature: signature, ...(!same && { receipt_text: text }) }
}

export interface ReceiptOfRow {
  readonly text: string
  readonly signature: string | undefined
}

export function receiptOfRow({ receipt_signature, receipt_text, ...receipt }: Record<string, unknown>): ReceiptOfRow {
  return {
    text: typeof receipt_text === 'string' ? receipt_text : JSON.stringify(receipt),
    signature: typeof receipt_signature === 'string' ? receipt_signature : undefined,
  }
}
