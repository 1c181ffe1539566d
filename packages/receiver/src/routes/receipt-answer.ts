/** The one writer of answers that carry a receipt. */
import type { ServerResponse } from 'node:http'
import { episodePath, header, mediaType } from '@cis490/shared/protocol.ts'
import type { Accepted } from '../core/gate.ts'
import type { StoredEpisode } from '../store/episodes.ts'

export type Stored = StoredEpisode & { readonly status: 200 | 201 }

export interface ReceiptAnswerPorts {
  /** Size of the gate's window, for `X-Cis490-Gate`. */
  readonly gateWindow: number
  /** Value of X-Cis490-Receipt-Signature for a receipt's exact bytes; undefined where receipts are not signed. */
  sign(text: string): string | undefined
}

/** @param more headers of this one answer */
export function answerReceipt(
  response: ServerResponse,
  done: Stored,
  gate: Accepted,
  ports: ReceiptAnswerPorts,
  more: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(done.text)
  const signature = ports.sign(done.text)
  response.writeHead(done.status, {
    'content-type': mediaType.json,
    'content-length': body.length,
    etag: `"sha256-${done.receipt.sha256}"`,
    'cache-control': 'no-store',
    ...(done.status === 201 && { location: episodePath(done.receipt.id) }),
    ...gateHeader(gate, ports.gateWindow),
    ...(signature !== undefined && { [header.receiptSignature]: signature }),
    ...more,
  })
  response.end(body)
}

/** `X-Cis490-Gate: position=87, window=100, head=<sha>`, where the stamp has a position */
export function gateHeader(gate: Accepted, window: number): Record<string, string> {
  if (gate.position === undefined) return {}
  const head = gate.head === undefined ? '' : `, head=${gate.head}`
  return { [header.gate]: `position=${gate.position}, window=${window}${head}` }
}
