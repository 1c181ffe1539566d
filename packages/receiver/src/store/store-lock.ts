/** The lock of the store: one process writes it. */
import { existsSync } from 'node:fs'
import { type ProcessLock, takeLock } from '@cis490/shared/node/process-lock.ts'
import type { StoreLayout } from './layout.ts'

/** @returns undefined while another process works in the store */
export function lockStore(layout: StoreLayout): ProcessLock | undefined {
  return takeLock(layout.lock)
}

/** Whether another process works in the store now. Whoever may not ask is told yes: that costs patience only. */
export function storeIsBusy(layout: StoreLayout): boolean {
  if (!existsSync(layout.lock)) return false
  try {
    using lock = takeLock(layout.lock)
    return lock === undefined
  } catch {
    return true
  }
}
