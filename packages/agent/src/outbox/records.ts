/**
 * What the agent knows about episodes beyond their files, one journal each:
 *
 *     agent/receipts.jsonl     the receiver's receipts as they came
 *     agent/tombstones.jsonl   what was dropped, why and by whom
 *     agent/packed.jsonl       how an episode's folder looked when it was packed
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { EpisodeId, Sha256 } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { z } from 'zod'

/** What is remembered of a receipt; the whole of it is in the journal. */
export const KnownReceipt = z.object({ id: EpisodeId, sha256: Sha256, received_at: z.string() })
export type KnownReceipt = z.infer<typeof KnownReceipt>

export const Tombstone = z.object({
  id: EpisodeId,
  at: z.string(),
  reason: z.string(),
  by: z.string(),
  /** Absent: a person gave the episode up. */
  what: z.literal('second-copy').optional(),
  sha256: Sha256.optional(),
  bytes: z.int().nonnegative().optional(),
  commit: z.string().optional(),
})
export type Tombstone = z.infer<typeof Tombstone>

/**
 * Evidence against deleting what was added to a folder after it was packed.
 * `tree`: hash over names, modes, sizes and mtimes. `newest_change_ns`: the latest change time (ctime) of anything but folders.
 */
export const Packed = z.object({ id: EpisodeId, sha256: Sha256, tree: z.string(), newest_change_ns: z.string(), at: z.string() })
export type Packed = z.infer<typeof Packed>

/** The last valid row for each id. Lines that are no such row are skipped. */
export async function readRecords<T extends { id: EpisodeId }>(path: string, schema: z.ZodType<T>): Promise<Map<EpisodeId, T>> {
  const records = new Map<EpisodeId, T>()
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      const row = schema.safeParse(parseObject(line))
      if (row.success) records.set(row.data.id, row.data)
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
  return records
}
