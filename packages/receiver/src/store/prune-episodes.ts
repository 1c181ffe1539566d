/** Takes archives out of the store: first the word, durably, then the deed. The receipt stays, so that a replay gets its answer. */
import { removeFile, syncDir } from '@cis490/shared/node/durable.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import { type ProcessLock, takeLock } from '@cis490/shared/node/process-lock.ts'
import type { PruneRow } from '../core/prune.ts'
import type { StoreLayout } from './layout.ts'

/** @returns undefined while another process prunes */
export function lockPrunes(layout: StoreLayout): ProcessLock | undefined {
  return takeLock(layout.prunesLock)
}

/** Rows that are written and synced together. */
const batchRows = 1000

/** The caller holds the lock. Killed in the middle, the next prune or the next start of the receiver ends what is written down. */
export async function pruneEpisodes(
  layout: StoreLayout,
  rows: readonly PruneRow[],
  onPruned: (done: number) => void = () => undefined,
): Promise<void> {
  await using journal = await Journal.open(layout.prunes)
  for (let from = 0; from < rows.length; from += batchRows) {
    const batch = rows.slice(from, from + batchRows)
    await Promise.all(batch.map((row) => journal.append(row)))
    await removeArchives(layout, batch)
    onPruned(from + batch.length)
  }
}

/** @returns how many were still there */
export async function removeArchives(layout: StoreLayout, rows: Iterable<PruneRow>): Promise<number> {
  const shelves = new Set<string>()
  let removed = 0
  for (const row of rows) {
    if (!(await removeFile(layout.archive(row)))) continue
    shelves.add(layout.shelf(row))
    removed += 1
  }
  for (const shelf of shelves) await syncDir(shelf)
  return removed
}
