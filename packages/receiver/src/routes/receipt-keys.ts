/** `GET /v1/receipt-keys`: the public keys of the receipts, with what the older ones say of the newer. */
import type { ReceiptKeys } from '@cis490/shared/receipt-signature.ts'

export interface ReceiptKeysPorts {
  /** No keys where receipts are not signed. */
  receiptKeys(): ReceiptKeys
}

export function getReceiptKeys(ports: ReceiptKeysPorts): Response {
  return Response.json(ports.receiptKeys(), { headers: { 'cache-control': 'no-store' } })
}
