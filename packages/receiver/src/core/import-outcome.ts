/** What the receiver's answer means for an archive from a stick. Pure. */
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isProblemCode, type ProblemCode } from '@cis490/shared/problems.ts'
import { Receipt } from '@cis490/shared/receipt.ts'

export type ImportOutcome =
  | { readonly outcome: 'stored' | 'already' }
  /** Passes by itself: `again` says after how many seconds to try within this import; absent: another import has to. */
  | { readonly outcome: 'later'; readonly code: string; readonly detail: string; readonly again?: number }
  | {
      readonly outcome: 'refused'
      readonly code: string
      readonly detail: string
      readonly remediation?: string
    }

/** Over within moments. A quota and a full disk are not. */
const momentary: ReadonlySet<ProblemCode> = new Set(['overloaded', 'rate', 'upload-in-progress', 'gate-unavailable'])
const maxWaitS = 10

/** @param sha256 of the manifest: a 2xx without a receipt for it is no success */
export function importOutcome(status: number, body: string, sha256: string): ImportOutcome {
  const value = parseObject(body)
  if (status === 200 || status === 201) {
    const receipt = Receipt.safeParse(value)
    if (receipt.success && receipt.data.sha256 === sha256) return { outcome: status === 201 ? 'stored' : 'already' }
    return { outcome: 'later', code: 'no-receipt', detail: `answered ${status} without a receipt for these bytes` }
  }
  const text = (key: string) => (typeof value?.[key] === 'string' ? (value[key] as string) : undefined)
  const code = value?.['code']
  const detail = text('detail') ?? `answered ${status}`
  if (!isProblemCode(code)) return { outcome: 'later', code: `http-${status}`, detail }
  const remediation = text('remediation')
  if (status < 500 && status !== 429 && status !== 408 && !momentary.has(code))
    return { outcome: 'refused', code, detail, ...(remediation !== undefined && { remediation }) }
  const asked = value?.['retry_after_s']
  const again = momentary.has(code) ? Math.min(typeof asked === 'number' ? asked : 1, maxWaitS) : undefined
  return { outcome: 'later', code, detail, ...(again !== undefined && { again }) }
}
