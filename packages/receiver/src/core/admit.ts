/** A verified body meets what is stored under its key. */
import type { Receipt } from '@cis490/shared/receipt.ts'

export type Admission = 'new' | 'duplicate' | 'conflict'

export function admit(stored: Receipt | undefined, sha256: string): Admission {
  if (stored === undefined) return 'new'
  return stored.sha256 === sha256 ? 'duplicate' : 'conflict'
}
