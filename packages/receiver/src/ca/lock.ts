/** The CA's lock: held while its files are made, and while a revocation is written. */
import { type ProcessLock, takeLock } from '@cis490/shared/node/process-lock.ts'

/** Another one needs it for a moment only. @returns undefined after five seconds */
export async function lockSoon(path: string): Promise<ProcessLock | undefined> {
  for (let tries = 0; tries < 50; tries += 1) {
    const lock = takeLock(path)
    if (lock) return lock
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return undefined
}
