/** The lock of the store: one process writes it. */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ProcessLock, takeLock } from '@cis490/shared/node/process-lock.ts'
import type { StoreLayout } from './layout.ts'

/** @returns undefined while another process works in the store */
export function lockStore(layout: StoreLayout): ProcessLock | undefined {
  return takeLock(layout.lock)
}

const patienceMs = 1000
const againMs = 50

/** `fsck` beside us holds the lock for an instant only. @returns undefined while another process works in the store */
export async function lockStoreSoon(
  layout: StoreLayout,
  wait: (ms: number) => Promise<unknown> = sleep,
): Promise<ProcessLock | undefined> {
  for (let waited = 0; ; waited += againMs) {
    const lock = lockStore(layout)
    if (lock || waited >= patienceMs) return lock
    await wait(againMs)
  }
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
