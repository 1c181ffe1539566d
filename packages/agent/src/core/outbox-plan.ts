/** Reclaim: what in the outbox goes, what is mended, what is only reported. Nothing that could be a last copy ever goes. */
import type { EpisodeId } from '@cis490/shared/ids.ts'

export interface OutboxFacts {
  /** Names of unfinished files. */
  readonly parts: readonly string[]
  /** Sorted. */
  readonly archives: readonly EpisodeId[]
  /** Sorted. Every sidecar's name is here; an unreadable one has no hash. */
  readonly sidecars: ReadonlyMap<EpisodeId, { readonly sha256: string } | undefined>
  /** Episode folders that are there. */
  readonly folders: ReadonlySet<EpisodeId>
  readonly receipts: ReadonlyMap<EpisodeId, { readonly sha256: string }>
  readonly inFlight: ReadonlySet<EpisodeId>
  /** Orphans that were reported already. */
  readonly knownOrphans: ReadonlySet<EpisodeId>
}

export type ReclaimStep =
  | { readonly act: 'remove-part'; readonly name: string }
  | {
      readonly act: 'remove-entry'
      readonly id: EpisodeId
      readonly reason: 'delivered' | 'sidecar-without-archive' | 'folder-still-there'
    }
  /** An archive without a readable sidecar whose folder is gone: the last copy. It gets a new sidecar. */
  | { readonly act: 'adopt'; readonly id: EpisodeId; readonly reason: 'last-copy' }
  | { readonly act: 'keep'; readonly id: EpisodeId; readonly reason: 'orphan-kept'; readonly report: boolean }

export function planReclaim(facts: OutboxFacts): ReclaimStep[] {
  const steps: ReclaimStep[] = facts.parts.map((name) => ({ act: 'remove-part', name }))
  const archives = new Set(facts.archives)
  for (const id of facts.sidecars.keys())
    if (!archives.has(id) && !facts.inFlight.has(id)) steps.push({ act: 'remove-entry', id, reason: 'sidecar-without-archive' })
  for (const id of facts.archives) {
    const step = facts.inFlight.has(id) ? undefined : planArchive(id, facts)
    if (step) steps.push(step)
  }
  return steps
}

function planArchive(id: EpisodeId, facts: OutboxFacts): ReclaimStep | undefined {
  const sidecar = facts.sidecars.get(id)
  const hasFolder = facts.folders.has(id)
  if (sidecar === undefined)
    return hasFolder ? { act: 'remove-entry', id, reason: 'folder-still-there' } : { act: 'adopt', id, reason: 'last-copy' }
  // A receipt for other bytes under this id proves nothing about these.
  if (facts.receipts.get(id)?.sha256 === sidecar.sha256) return { act: 'remove-entry', id, reason: 'delivered' }
  return hasFolder ? undefined : { act: 'keep', id, reason: 'orphan-kept', report: !facts.knownOrphans.has(id) }
}
