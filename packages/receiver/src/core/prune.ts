/** Retention: a stored episode goes only by an act that is written down before. Pure. */
import { EpisodeId, HostName, Sha256 } from '@cis490/shared/ids.ts'
import type { IndexRow } from '@cis490/shared/receipt.ts'
import { z } from 'zod'
import type { EpisodeKey } from './episode-key.ts'

/** A line of `prunes.jsonl`. */
export const PruneRow = z.looseObject({
  at: z.string(),
  host: HostName,
  id: EpisodeId,
  sha256: Sha256,
  bytes: z.number(),
  by: z.string(),
  reason: z.string(),
})
export type PruneRow = z.infer<typeof PruneRow>

export interface PruneChoice {
  /** Epoch milliseconds: received earlier. */
  readonly before?: number
  readonly ids?: ReadonlySet<string>
  readonly host?: HostName
  /** Asked only where `--tainted` chooses. */
  readonly tainted?: (row: IndexRow) => boolean
}

export interface Chosen extends EpisodeKey {
  readonly sha256: Sha256
  readonly bytes: number
}

/** @returns what the row names, if it is chosen; a row that names no file of this store never is */
export function choose(row: IndexRow, choice: PruneChoice): Chosen | undefined {
  const named = PruneRow.pick({ host: true, id: true, sha256: true, bytes: true }).safeParse(row)
  if (!named.success) return undefined
  const { host, id, sha256, bytes } = named.data
  if (choice.host !== undefined && choice.host !== host) return undefined
  if (choice.ids && !choice.ids.has(id)) return undefined
  if (choice.tainted && !choice.tainted(row)) return undefined
  if (choice.before !== undefined && !(Date.parse(row.received_at ?? '') < choice.before)) return undefined
  return { host, id, sha256, bytes }
}

/** An id of several hosts names no single episode. @returns the ids that are nobody's, and those that are several hosts' */
export function unclear(ids: ReadonlySet<string>, chosen: readonly Chosen[]): { unknown: string[]; ambiguous: string[] } {
  const hosts = new Map<string, Set<string>>()
  // An index can have two rows of one episode.
  for (const { id, host } of chosen) hosts.set(id, (hosts.get(id) ?? new Set()).add(host))
  const all = [...ids]
  return { unknown: all.filter((id) => !hosts.has(id)), ambiguous: all.filter((id) => (hosts.get(id)?.size ?? 0) > 1) }
}
