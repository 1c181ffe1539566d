/** What becomes of the folder of a delivered episode. */
import type { EpisodeId } from '@cis490/shared/ids.ts'

export interface DeliveredFolder {
  readonly id: EpisodeId
  readonly bytes: number
  /** From the receipt; RFC 3339 sorts as text. */
  readonly received_at: string
  /** Something was written to it after it was packed: that is not delivered. */
  readonly changed: boolean
}

export interface DeliveredStep {
  readonly id: EpisodeId
  readonly act: 'delete' | 'keep'
  readonly reason: 'delivered' | 'second-copy' | 'changed-after-delivery'
}

/** @param keepBytes how much may stay as a second copy; the oldest go first */
export function planDelivered(folders: readonly DeliveredFolder[], keepBytes: number): DeliveredStep[] {
  let kept = 0
  let full = keepBytes === 0
  const newestFirst = folders.toSorted((a, b) => (a.received_at < b.received_at ? 1 : a.received_at > b.received_at ? -1 : 0))
  return newestFirst.map(({ id, bytes, changed }) => {
    if (changed) return { id, act: 'keep', reason: 'changed-after-delivery' }
    full ||= kept + bytes > keepBytes
    if (full) return { id, act: 'delete', reason: 'delivered' }
    kept += bytes
    return { id, act: 'keep', reason: 'second-copy' }
  })
}

/** How a folder looks, or looked when it was packed. */
export interface FolderLook {
  readonly tree: string
  readonly newest_change_ns: string
}

/**
 * Did the folder change since it was packed? A half deleted folder has not: nothing in it is newer.
 * @param newestMtimeMs for folders of which no look is known (an outbox of an older agent): compared with the receipt's time
 */
export function changedSince(
  now: FolderLook & { readonly newestMtimeMs: number },
  packed: FolderLook | undefined,
  receivedAt: string,
): boolean {
  if (packed === undefined) return !(now.newestMtimeMs <= Date.parse(receivedAt))
  return now.tree !== packed.tree && BigInt(now.newest_change_ns) > BigInt(packed.newest_change_ns)
}
