/** What becomes of the folder of a delivered episode. */
import type { EpisodeId } from '@cis490/shared/ids.ts'

export interface DeliveredFolder {
  readonly id: EpisodeId
  readonly bytes: number
  /** From the receipt; RFC 3339 sorts as text. */
  readonly received_at: string
  /** What was written to it after it was packed is not delivered. Unknown: it may hold what was never sent. */
  readonly since: 'unchanged' | 'changed' | 'unknown'
}

export interface DeliveredStep {
  readonly id: EpisodeId
  readonly act: 'delete' | 'keep'
  readonly reason: 'delivered' | 'second-copy' | 'changed-after-delivery' | 'not-known-as-delivered'
}

/** @param keepBytes how much may stay as a second copy; the oldest go first */
export function planDelivered(folders: readonly DeliveredFolder[], keepBytes: number): DeliveredStep[] {
  let kept = 0
  let full = keepBytes === 0
  const newestFirst = folders.toSorted((a, b) => (a.received_at < b.received_at ? 1 : a.received_at > b.received_at ? -1 : 0))
  return newestFirst.map(({ id, bytes, since }) => {
    if (since === 'changed') return { id, act: 'keep', reason: 'changed-after-delivery' }
    if (since === 'unknown') return { id, act: 'keep', reason: 'not-known-as-delivered' }
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
 * Equality of the whole look, never an order of times: a clock can go back.
 * @param packed the look at the very bytes of the receipt, where one is known
 */
export function lookSincePacked(now: FolderLook, packed: FolderLook | undefined): DeliveredFolder['since'] {
  if (packed === undefined) return 'unknown'
  return now.tree === packed.tree && now.newest_change_ns === packed.newest_change_ns ? 'unchanged' : 'changed'
}

/** For a folder that was found unchanged before its deletion began: has nothing been added to what is left of it? */
export function restOf(now: FolderLook, packed: FolderLook | undefined): boolean {
  return packed !== undefined && BigInt(now.newest_change_ns) <= BigInt(packed.newest_change_ns)
}
