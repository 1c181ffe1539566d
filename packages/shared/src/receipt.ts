/** The receiver's promise that an episode is stored. The sidecar file, the answer to the upload and, with `seq` and `prev`, the index row. */
import { z } from 'zod'
import { CommitSha, EpisodeId, HostName, Sha256 } from './ids.ts'

export const Receipt = z.looseObject({
  id: EpisodeId,
  host: HostName,
  sha256: Sha256,
  bytes: z.int().nonnegative(),
  commit: CommitSha.optional(),
  received_at: z.string(),
  gate_position: z.int().positive().optional(),
  verdict: z.enum(['observe', 'waiver']).optional(),
  schema_version: z.string().optional(),
  dirty: z.boolean().optional(),
  backfilled: z.boolean().optional(),
  cert_fingerprint: z.string().optional(),
  agent_version: z.string().optional(),
})
export type Receipt = z.infer<typeof Receipt>

/** Rows of an older receiver have neither `seq` and `prev` nor a guaranteed host, commit or time: valid on read. */
export const IndexRow = z.looseObject({
  id: z.string(),
  host: z.string().optional(),
  sha256: z.string().optional(),
  bytes: z.number().optional(),
  commit: z.string().nullish(),
  received_at: z.string().optional(),
  backfilled: z.boolean().optional(),
  seq: z.int().positive().optional(),
  prev: z.string().optional(),
})
export type IndexRow = z.infer<typeof IndexRow>

/** `prev` of the first row of an index. */
export const firstPrev = '0'.repeat(64)

/** Canonical bytes of a receipt: one line of JSON without newline, keys in the order given by the receiver. */
export function encodeReceipt(receipt: Receipt): string {
  return JSON.stringify(receipt)
}
