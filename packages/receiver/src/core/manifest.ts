/** A manifest of a dataset: exactly which bytes a training run used, and of which index they were taken. */
import { CommitSha, EpisodeId, HostName, Sha256 } from '@cis490/shared/ids.ts'
import type { IndexRow } from '@cis490/shared/receipt.ts'
import { z } from 'zod'

export const ManifestHeader = z.looseObject({
  /** Version of this format. */
  manifest: z.literal(1),
  generated_at: z.string(),
  /** As they were given; times as RFC 3339. */
  filters: z.record(z.string(), z.string()),
  count: z.int().nonnegative(),
  bytes: z.number().nonnegative(),
  /** The last row of the index that was looked at; null for an empty index. */
  head: z.strictObject({ seq: z.int().positive().nullable(), hash: Sha256, offset: z.int().positive() }).nullable(),
  /** Rows that fit the filters and are not in it. */
  left_out: z.strictObject({ tainted: z.int(), pruned: z.int(), incomplete: z.int() }),
})
export type ManifestHeader = z.infer<typeof ManifestHeader>

const Named = z.object({
  id: EpisodeId,
  sha256: Sha256,
  bytes: z.int().nonnegative(),
  host: HostName,
  commit: CommitSha.optional(),
})

/** Below the receiver's state folder lies `path`. */
export const ManifestEntry = Named.extend({ path: z.string() })
export type ManifestEntry = z.infer<typeof ManifestEntry>

export type LeftOut = keyof ManifestHeader['left_out']

/**
 * @param is what stands against the row's episode
 * @returns the entry but for its path, or why it has none; `incomplete` is a row of an older receiver that names no host, hash or size
 */
export function entryOf(row: IndexRow, is: { tainted: boolean; pruned: boolean }): z.infer<typeof Named> | LeftOut {
  if (is.tainted) return 'tainted'
  if (is.pruned) return 'pruned'
  const { id, sha256, bytes, host, commit } = row
  const named = Named.safeParse({ id, sha256, bytes, host, ...(typeof commit === 'string' && { commit }) })
  return named.success ? named.data : 'incomplete'
}
