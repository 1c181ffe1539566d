/** At start: the journals that commands write beside the receiver lose the half row that a crash left, and what is believed of them is on the disk. */
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { Journal } from '@cis490/shared/node/journal.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import type { StoreLayout } from './layout.ts'

/** The caller holds the lock of the store. @returns bytes that were cut off */
export async function settleJournals(layout: StoreLayout): Promise<number> {
  const journals = [
    { path: layout.prunes, lock: layout.prunesLock },
    { path: layout.taints, lock: layout.taintsLock },
    { path: layout.losses, lock: undefined },
  ]
  let cut = 0
  for (const { path, lock } of journals) if (existsSync(path)) cut += await settle(path, lock)
  return cut
}

async function settle(path: string, lockPath: string | undefined): Promise<number> {
  using lock = lockPath === undefined ? undefined : takeLock(lockPath)
  if (lockPath !== undefined && !lock) {
    // A command writes it now: the row at the end is its own affair, but what the start acts upon has to survive a power cut.
    await using file = await open(path, 'r+')
    await file.sync()
    return 0
  }
  let cut = 0
  await using _journal = await Journal.open(path, (torn) => {
    cut = torn.length
  })
  return cut
}
